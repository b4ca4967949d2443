// gemma3n tokenize: text to ids and back, one text or a stream of JSON lines.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/text_input.h"
#include "runtime/standalone_tokenizer.h"

namespace gemma3n::cli {
namespace {

using Json = nlohmann::json;

struct TokenizeOptions {
  std::string model, prompt, file = "-";
  bool jsonl = false, bos = false, decode = false, plain = false, pieces = false,
       keep_special = false;
};

// Encodes and decodes as the options say.
class Converter {
 public:
  Converter(const StandaloneTokenizer& source, const TokenizeOptions& options)
      : source_(source), options_(options) {}

  std::vector<TokenId> Encode(std::string_view text) const {
    std::vector<TokenId> ids = source_.tokenizer.Encode(text, !options_.plain);
    if (options_.bos) ids.insert(ids.begin(), source_.bos);
    return ids;
  }
  std::string Decode(std::span<const TokenId> ids) const {
    return source_.tokenizer.Decode(ids, !options_.keep_special);
  }
  std::string_view PieceText(TokenId id) const { return source_.tokenizer.TokenText(id); }

 private:
  const StandaloneTokenizer& source_;
  const TokenizeOptions& options_;
};

void AppendIds(std::span<const TokenId> ids, std::string& out) {
  out.push_back('[');
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out.append(", ");
    const fmt::format_int digits(ids[i]);
    out.append(digits.data(), digits.size());
  }
  out.append("]\n");
}

std::string JsonString(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// One line of --jsonl, with its answer appended to `out`.
Status ConvertLine(std::string_view line, int64_t number, const Converter& converter, bool decode,
                   std::string& out) {
  if (decode) {
    G3N_ASSIGN_OR_RETURN(const auto ids, ParseTokenArray(line, fmt::format("line {}", number)));
    out.append(JsonString(converter.Decode(ids))).push_back('\n');
    return OkStatus();
  }
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_string()) {
    return Error(StatusCode::kInvalidArgument, "line {}: expected one JSON string, found {}",
                 number, json.is_discarded() ? "text that is not JSON" : json.type_name());
  }
  AppendIds(converter.Encode(json.get_ref<const std::string&>()), out);
  return OkStatus();
}

// Closes a descriptor that is not standard input.
struct Input {
  int fd = STDIN_FILENO;
  ~Input() {
    if (fd > STDIN_FILENO) ::close(fd);
  }
};

// Answers the lines that have arrived, then waits for more: a partner that sends one line gets its
// answer at once, and a big file goes through in large writes.
Status ConvertStream(const Converter& converter, const TokenizeOptions& options) {
  Input input;
  if (options.file != "-" && (input.fd = ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC)) < 0) {
    return Error(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kIo,
                 "{}: cannot open it ({})", options.file, std::strerror(errno));
  }
  std::string pending, out;
  std::vector<char> buffer(1 << 18);
  int64_t number = 0;
  for (bool more = true; more;) {
    const ssize_t n = ::read(input.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return Error(StatusCode::kIo, "{}: cannot read it ({})", options.file, std::strerror(errno));
    more = n > 0;
    const size_t fresh = pending.size();  // no line ends before it
    pending.append(buffer.data(), static_cast<size_t>(n));
    if (!more && !pending.empty()) pending.push_back('\n');  // the last line may lack its end
    size_t begin = 0;
    for (size_t end = pending.find('\n', fresh); end != std::string::npos;
         end = pending.find('\n', begin)) {
      const auto line = std::string_view(pending).substr(begin, end - begin);
      const Status converted = ConvertLine(line, ++number, converter, options.decode, out);
      if (!converted.ok()) {
        G3N_RETURN_IF_ERROR(WriteStdout(out));  // the lines before it were good
        return converted;
      }
      begin = end + 1;
    }
    pending.erase(0, begin);
    G3N_RETURN_IF_ERROR(WriteStdout(out));
    out.clear();
  }
  return OkStatus();
}

Status ConvertWhole(const Converter& converter, const TokenizeOptions& options) {
  const bool inline_text = !options.prompt.empty();
  const std::string name = inline_text           ? "--prompt"
                           : options.file == "-" ? "standard input"
                                                 : options.file;
  std::string text;
  if (inline_text) {
    G3N_ASSIGN_OR_RETURN(text, ReadTextArgument(options.prompt, name));
  } else {
    G3N_ASSIGN_OR_RETURN(text, ReadFileOrStdin(options.file));
  }
  std::string out;
  if (options.decode) {
    G3N_ASSIGN_OR_RETURN(const auto ids, ParseTokenArray(text, name));
    return WriteStdout(converter.Decode(ids) + "\n");
  }
  G3N_RETURN_IF_ERROR(CheckUtf8(text, name));
  const auto ids = converter.Encode(text);
  if (!options.pieces) {
    AppendIds(ids, out);
  } else {
    for (const TokenId id : ids)
      out += fmt::format("{:>7}  {}\n", id, JsonString(converter.PieceText(id)));
  }
  return WriteStdout(out);
}

Status Run(const TokenizeOptions& options) {
  G3N_ASSIGN_OR_RETURN(const StandaloneTokenizer source, OpenStandaloneTokenizer(options.model));
  const Converter converter(source, options);
  return options.jsonl ? ConvertStream(converter, options) : ConvertWhole(converter, options);
}

}  // namespace

Command MakeTokenizeCommand(CLI::App& root) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* app = root.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  app->add_option("-m,--model", options->model,
                  "A checkpoint, a tokenizer.json or a tokenizer.model")
      ->type_name("PATH")
      ->required();
  auto* prompt = app->add_option("-p,--prompt", options->prompt,
                                 "The text (with --decode: the JSON array of ids)")
                     ->type_name("TEXT|@FILE|-");
  app->add_option("-f,--file", options->file, "Read this file instead (default: standard input)")
      ->type_name("FILE")
      ->excludes(prompt);
  auto* jsonl = app->add_flag("--jsonl", options->jsonl,
                              "One JSON string a line in, one JSON array of ids a line out")
                    ->excludes(prompt);
  auto* decode = app->add_flag("--decode", options->decode, "The other way: ids in, text out");
  auto* bos = app->add_flag("--bos", options->bos, "Put <bos> in front")->excludes(decode);
  auto* plain = app->add_flag("--plain", options->plain,
                              "Read special tokens such as <end_of_turn> as ordinary text")
                    ->excludes(decode);
  app->add_flag("--keep-special", options->keep_special, "With --decode: write special tokens out")
      ->needs(decode);
  app->add_flag("--pieces", options->pieces, "One token a line with its text")
      ->excludes(decode)
      ->excludes(jsonl);
  (void)bos;
  (void)plain;
  app->footer(
      "Examples:\n"
      "  gemma3n tokenize --model tokenizer.model --prompt \"Hello, world\"\n"
      "  gemma3n tokenize --model gemma-3n-E2B-it --jsonl < lines.jsonl > ids.jsonl\n"
      "  gemma3n tokenize --model model.gguf --decode --prompt \"[9259, 236764, 1902]\"");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
