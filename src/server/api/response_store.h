// What /v1/responses remembers between requests: the conversations behind previous_response_id.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "gemma3n/content.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// A conversation up to and with a response.
struct StoredConversation {
  std::vector<Message> messages;
  std::map<std::string, std::string> call_names;  // of the functions called, by call id
  Json response;                                  // as it was sent
};

// Bounded in number and bytes: the one that was not asked for longest goes first. Thread-safe.
class ResponseStore {
 public:
  explicit ResponseStore(size_t most = 1000, size_t most_bytes = size_t{256} << 20)
      : most_(most), most_bytes_(most_bytes) {}

  // One that is larger than all may be together is not kept.
  void Put(const std::string& id, StoredConversation conversation);
  // Null where it is not known, or no longer.
  std::shared_ptr<const StoredConversation> Get(const std::string& id);
  // False where it is not known.
  bool Remove(const std::string& id);

  size_t bytes() const;

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<const StoredConversation> conversation;
    size_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  void Erase(Entries::iterator entry);

  const size_t most_, most_bytes_;
  mutable std::mutex mutex_;
  Entries entries_;  // the last used first
  std::unordered_map<std::string, Entries::iterator> by_id_;
  size_t bytes_ = 0;
};

}  // namespace gemma3n::server
