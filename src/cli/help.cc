#include "cli/help.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace gemma3n::cli {
namespace {

constexpr size_t kColumn = 34, kWidth = 100;

// Line breaks instead of spaces, so that no line of the description column is too long.
std::string Wrap(const std::string& text) {
  std::string out;
  size_t used = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find(' ', begin);
    if (end == std::string::npos) end = text.size();
    const size_t length = end - begin;
    if (used > 0 && used + 1 + length > kWidth - kColumn) {
      out += '\n';
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out.append(text, begin, length);
    used += length;
    begin = end + 1;
  }
  return out;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kColumn); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = Formatter::make_option_name(option, is_positional);
    if (const size_t value = name.find('{'); value != std::string::npos)
      name.erase(value);  // of a negative flag
    return name;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (option->get_required()) text += " (required)";
    if (!option->get_default_str().empty()) text += " (default " + option->get_default_str() + ")";
    return Wrap(text);
  }
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string help = Formatter::make_help(app, name, mode);
    for (size_t at; (at = help.find("\n\n\n")) != std::string::npos;) help.erase(at, 1);
    return help;
  }
};

std::string Expectation(double low, double high, bool whole) {
  constexpr double kUnnamed = 1e15;
  const std::string kind = whole ? "a whole number" : "a number";
  if (std::abs(low) < kUnnamed && std::abs(high) < kUnnamed)
    return fmt::format("{} from {:.0f} to {:.0f}", kind, low, high);
  if (std::abs(low) < kUnnamed) return fmt::format("{}, {:.0f} or more", kind, low);
  return kind;
}

}  // namespace

std::shared_ptr<CLI::Formatter> MakeHelpFormatter() { return std::make_shared<HelpFormatter>(); }

CLI::Validator NumberBetween(double low, double high, bool whole) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool good = error == std::errc() && end == text.data() + text.size() &&
                          value >= low && value <= high &&
                          (!whole || (value == std::floor(value) &&
                                      text.find_first_of(".eE") == std::string::npos));
        return good ? std::string()
                    : fmt::format("expected {}, found \"{}\"", Expectation(low, high, whole), text);
      },
      "");
}

CLI::Validator OneOf(std::vector<std::pair<std::string, int>> choices) {
  return CLI::Validator(
      [choices = std::move(choices)](std::string& text) -> std::string {
        std::string names;
        for (const auto& [name, value] : choices) {
          if (text == name) {
            text = std::to_string(value);
            return "";
          }
          names += (names.empty() ? "" : ", ") + name;
        }
        return fmt::format("expected one of {}, found \"{}\"", names, text);
      },
      "");
}

}  // namespace gemma3n::cli
