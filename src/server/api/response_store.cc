#include "server/api/response_store.h"

#include <utility>

#include "formats/json.h"

namespace gemma3n::server {
namespace {

size_t BytesOf(const StoredConversation& conversation) {
  size_t bytes = DumpOrderedJson(conversation.response).size();
  for (const Message& message : conversation.messages) {
    for (const Part& part : message.parts) {
      bytes += sizeof part + part.text.size() + part.source.location.size();
      if (part.source.bytes) bytes += part.source.bytes->size();
    }
  }
  return bytes;
}

}  // namespace

void ResponseStore::Put(const std::string& id, StoredConversation conversation) {
  const size_t bytes = BytesOf(conversation);
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end()) Erase(found->second);
  if (bytes > most_bytes_ || most_ == 0) return;
  while (entries_.size() >= most_ || bytes_ + bytes > most_bytes_) Erase(std::prev(entries_.end()));
  entries_.push_front(
      {id, std::make_shared<const StoredConversation>(std::move(conversation)), bytes});
  by_id_[id] = entries_.begin();
  bytes_ += bytes;
}

std::shared_ptr<const StoredConversation> ResponseStore::Get(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->conversation;
}

bool ResponseStore::Remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  Erase(found->second);
  return true;
}

size_t ResponseStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void ResponseStore::Erase(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_id_.erase(entry->id);
  entries_.erase(entry);
}

}  // namespace gemma3n::server
