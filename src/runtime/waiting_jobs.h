// Requests that wait for a place: clients take turns, the requests of one client come in order.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/job.h"

namespace gemma3n::internal {

class WaitingJobs {
 public:
  void Push(std::unique_ptr<Job> job) {
    ++count_;
    for (Client& client : clients_) {
      if (client.name == job->request.client) return client.jobs.push_back(std::move(job));
    }
    clients_.push_back({job->request.client, {}});
    clients_.back().jobs.push_back(std::move(job));
  }

  // The next one that may(job); null when there is none. Its client goes to the end of the line.
  template <typename May>
  std::unique_ptr<Job> Pop(const May& may) {
    for (auto client = clients_.begin(); client != clients_.end(); ++client) {
      for (auto job = client->jobs.begin(); job != client->jobs.end(); ++job) {
        if (!may(**job)) continue;
        std::unique_ptr<Job> found = std::move(*job);
        client->jobs.erase(job);
        --count_;
        if (client->jobs.empty()) {
          clients_.erase(client);
        } else {
          clients_.splice(clients_.end(), clients_, client);
        }
        return found;
      }
    }
    return nullptr;
  }

  int64_t size() const { return count_; }

 private:
  struct Client {
    std::string name;
    std::deque<std::unique_ptr<Job>> jobs;
  };
  std::list<Client> clients_;
  int64_t count_ = 0;
};

}  // namespace gemma3n::internal
