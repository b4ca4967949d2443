// Languages as clients write them, by their names in English, which is how the model is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gemma3n::server {

// "de", "pt-BR" (ISO 639-1, case and what follows a hyphen do not matter) or a name: "German",
// "Portuguese". A name that is not in the list is taken as it is when it is made of letters and
// spaces. None for other text.
std::optional<std::string> LanguageName(std::string_view text);

}  // namespace gemma3n::server
