#include "cli/conversation.h"

#include <algorithm>

#include "base/file.h"
#include "cli/messages_json.h"
#include "cli/text_input.h"

namespace gemma3n::cli {

void Conversation::Reset() {
  messages_.clear();
  ids_.clear();
  ids_text_.clear();
  if (!system_.empty()) messages_.push_back(Message::Text("system", system_));
}

int64_t Conversation::turns() const {
  return std::count_if(messages_.begin(), messages_.end(),
                       [](const Message& m) { return m.role == "user"; });
}

Result<Prompt> Conversation::PromptWith(const Message& user, const MediaOptions& media) const {
  std::vector<Message> messages = messages_;
  messages.push_back(user);
  G3N_ASSIGN_OR_RETURN(Prompt prompt, engine_.ChatPrompt(messages, media));
  const auto& whole = prompt.tokens;
  const bool same =
      std::ranges::equal(std::span(whole).first(std::min(whole.size(), ids_.size())), ids_);
  // Otherwise the template may have changed what was said.
  if (ids_.empty() || same || !prompt.text.starts_with(ids_text_)) return prompt;
  const std::string_view rest = std::string_view(prompt.text).substr(ids_text_.size());
  G3N_ASSIGN_OR_RETURN(const auto new_ids, engine_.Tokenize(rest, false, /*expand_media=*/true));
  prompt.tokens = ids_;
  prompt.tokens.insert(prompt.tokens.end(), new_ids.begin(), new_ids.end());
  return prompt;
}

void Conversation::Add(const Message& user, const Prompt& prompt, const GenerationResult& answer) {
  messages_.push_back(user);
  ids_.clear();
  ids_text_.clear();
  // A stop string cuts the text but not the ids; then the ids no longer say what was said.
  if (engine_.Detokenize(answer.tokens) == answer.text) {
    ids_ = prompt.tokens;
    ids_.insert(ids_.end(), answer.tokens.begin(), answer.tokens.end());
    ids_text_ = prompt.text + answer.text;
  }
  messages_.push_back(Message::Text("assistant", answer.text));
}

Status Conversation::Save(const std::string& path) const {
  G3N_RETURN_IF_ERROR(CheckOutputPath(path));
  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  G3N_RETURN_IF_ERROR(file.Write(MessagesJson(messages_)));
  return file.Commit();
}

Status Conversation::Load(const std::string& path, const MediaOptions& media) {
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, size_t{1} << 28));
  G3N_ASSIGN_OR_RETURN(std::vector<Message> messages, ParseMessages(text, path));
  // A conversation waits for the user: a trailing question would be asked twice.
  if (!messages.empty() && messages.back().role == "user") {
    return Error(StatusCode::kCorruptFile,
                 "{}: expected a conversation that waits for the user, found a question without "
                 "its answer at the end",
                 path);
  }
  std::vector<Message> next = messages;
  next.push_back(Message::Text("user", "?"));
  if (const auto prompt = engine_.ChatPrompt(next, media); !prompt.ok())
    return prompt.status().WithContext(path);
  const bool has_system = !messages.empty() && messages[0].role == "system";
  system_ = has_system && !messages[0].parts.empty() ? messages[0].parts[0].text : std::string();
  messages_ = std::move(messages);
  ids_.clear();
  ids_text_.clear();
  return OkStatus();
}

}  // namespace gemma3n::cli
