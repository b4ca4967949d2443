#include "chat/jinja/unicode_case.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

#include "chat/jinja/unicode_case_data.inc"

const CaseRun* FindRun(std::span<const CaseRun> runs, char32_t c) {
  const auto it = std::upper_bound(runs.begin(), runs.end(), c,
                                   [](char32_t v, const CaseRun& r) { return v < r.first; });
  if (it == runs.begin()) return nullptr;
  const CaseRun& run = *std::prev(it);
  return c <= run.last && (c - run.first) % run.stride == 0 ? &run : nullptr;
}

const CaseSpecial* FindSpecial(std::span<const CaseSpecial> specials, char32_t c) {
  const auto it = std::lower_bound(specials.begin(), specials.end(), c,
                                   [](const CaseSpecial& s, char32_t v) { return s.from < v; });
  return it != specials.end() && it->from == c ? &*it : nullptr;
}

void Append(const CaseSpecial& special, std::string& out) {
  for (char32_t c : special.to) {
    if (c != 0) AppendCodePoint(c, out);
  }
}

void AppendMapped(std::span<const CaseRun> runs, std::span<const CaseSpecial> specials, char32_t c,
                  std::string& out) {
  if (const CaseSpecial* special = c < 0x80 ? nullptr : FindSpecial(specials, c))
    return Append(*special, out);
  const CaseRun* run = FindRun(runs, c);
  AppendCodePoint(run == nullptr ? c : static_cast<char32_t>(static_cast<int32_t>(c) + run->delta),
                  out);
}

}  // namespace

void AppendUpper(char32_t c, std::string& out) { AppendMapped(kUpper, kUpperSpecial, c, out); }
void AppendLower(char32_t c, std::string& out) { AppendMapped(kLower, kLowerSpecial, c, out); }

void AppendTitle(char32_t c, std::string& out) {
  if (const CaseSpecial* special = c < 0x80 ? nullptr : FindSpecial(kTitleSpecial, c))
    return Append(*special, out);
  AppendUpper(c, out);
}

bool IsCased(char32_t c) {
  return FindRun(kUpper, c) != nullptr || FindRun(kLower, c) != nullptr ||
         FindRun(kCasedOnly, c) != nullptr || FindSpecial(kUpperSpecial, c) != nullptr ||
         FindSpecial(kLowerSpecial, c) != nullptr;
}

}  // namespace gemma3n::jinja
