#include "chat/special_text.h"

#include <algorithm>
#include <functional>

namespace gemma3n {

SpecialTextFinder::SpecialTextFinder(std::span<const std::string> specials) {
  for (const std::string& special : specials) {
    if (special.empty() || !specials_.insert(special).second) continue;
    lengths_.push_back(special.size());
    begins_[static_cast<unsigned char>(special.front())] = true;
  }
  std::sort(lengths_.begin(), lengths_.end(), std::greater<>());
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
}

SpecialTextFinder SpecialTextFinder::Gemma3n() {
  static const std::string kTokens[] = {"<bos>",
                                        "<eos>",
                                        "<pad>",
                                        "<unk>",
                                        "<mask>",
                                        "<start_of_turn>",
                                        "<end_of_turn>",
                                        "<start_of_image>",
                                        "<end_of_image>",
                                        "<image_soft_token>",
                                        "<start_of_audio>",
                                        "<end_of_audio>",
                                        "<audio_soft_token>"};
  return SpecialTextFinder(kTokens);
}

size_t SpecialTextFinder::LongestAt(std::string_view text) const {
  if (text.empty() || !begins_[static_cast<unsigned char>(text.front())]) return 0;
  for (size_t length : lengths_) {
    if (length <= text.size() && specials_.contains(std::string(text.substr(0, length))))
      return length;
  }
  return 0;
}

std::vector<SpecialText> SpecialTextFinder::Find(std::string_view text) const {
  std::vector<SpecialText> found;
  for (size_t at = 0; at < text.size();) {
    const size_t length = LongestAt(text.substr(at));
    if (length > 0) found.push_back({0, 0, at, std::string(text.substr(at, length))});
    at += std::max<size_t>(length, 1);
  }
  return found;
}

std::vector<SpecialText> SpecialTextFinder::Find(std::span<const Message> messages) const {
  std::vector<SpecialText> found;
  for (size_t m = 0; m < messages.size(); ++m) {
    for (size_t p = 0; p < messages[m].parts.size(); ++p) {
      for (SpecialText& special : Find(messages[m].parts[p].text)) {
        special.message = m;
        special.part = p;
        found.push_back(std::move(special));
      }
    }
  }
  return found;
}

std::string SpecialTextFinder::Escape(std::string_view text) const {
  std::string out;
  size_t at = 0;
  for (const SpecialText& special : Find(text)) {
    size_t first = special.offset + 1;  // the whole first character
    while (first < text.size() && (static_cast<unsigned char>(text[first]) & 0xC0) == 0x80) ++first;
    out += text.substr(at, first - at);
    out += "\u200B";
    at = first;
  }
  return out.append(text.substr(at));
}

}  // namespace gemma3n
