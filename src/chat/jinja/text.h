// Python's view of UTF-8 strings: code points, white space, case. Every string in here is valid
// UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemma3n::jinja {

bool IsValidUtf8(std::string_view text);

// The code point at byte `at`, which is then moved behind it.
char32_t NextCodePoint(std::string_view text, size_t& at);
void AppendCodePoint(char32_t c, std::string& out);

// Code points in the text.
size_t Length(std::string_view text);
// Byte offset of code point number `n`, the text's size when there are fewer.
size_t ByteOffset(std::string_view text, size_t n);
// The code points one by one, each as its bytes.
std::vector<std::string_view> Characters(std::string_view text);

// str.isspace, and what str.strip and the regular expression \s take for white space.
bool IsSpace(char32_t c);
// Where str.splitlines cuts.
bool IsLineBreak(char32_t c);

// Without characters of `chars` (white space when absent) at either end, as chosen.
enum class Ends { kBoth, kLeft, kRight };
std::string_view Strip(std::string_view text, Ends ends = Ends::kBoth,
                       std::optional<std::string_view> chars = std::nullopt);

// str.upper and the rest; Greek final sigma is not looked after.
std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string TitleMethod(std::string_view text);  // str.title
std::string TitleFilter(std::string_view text);  // Jinja's title filter
bool IsUpper(std::string_view text);             // str.isupper
bool IsLower(std::string_view text);

std::vector<std::string_view> SplitLines(std::string_view text);

// As std::string_view::find, in time linear in the text even for patterns made to be slow.
size_t Find(std::string_view text, std::string_view pattern, size_t from = 0);

}  // namespace gemma3n::jinja
