#include "server/http/socket_exchange.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "server/http/connection.h"

namespace gemma3n::server {
namespace {

class SocketExchange : public Exchange {
 public:
  SocketExchange(std::shared_ptr<Connection> connection, uint64_t id, HttpRequest request)
      : connection_(std::move(connection)), id_(id), request_(std::move(request)) {}
  ~SocketExchange() override {
    Post([id = id_](Connection& c) { c.Abandon(id); });
  }

  const HttpRequest& request() const override { return request_; }

  void Respond(int status, std::string type, std::string body, Headers headers) override {
    Post([id = id_, status, type = std::move(type), body = std::move(body),
          headers = std::move(headers)](Connection& c) mutable {
      c.Respond(id, status, std::move(type), std::move(body), headers);
    });
  }
  void Begin(int status, std::string type, Headers headers) override {
    Post([id = id_, status, type = std::move(type), headers = std::move(headers)](
             Connection& c) mutable { c.Begin(id, status, std::move(type), headers); });
  }
  void Write(std::string piece) override {
    Post([id = id_, piece = std::move(piece)](Connection& c) mutable {
      c.Write(id, std::move(piece));
    });
  }
  void Finish() override {
    Post([id = id_](Connection& c) { c.Finish(id); });
  }
  void OnGone(std::function<void()> gone) override {
    Post([id = id_, gone = std::move(gone)](Connection& c) mutable {
      c.OnGone(id, std::move(gone));
    });
  }
  void OnBehind(std::function<void(bool)> behind) override {
    Post([id = id_, behind = std::move(behind)](Connection& c) mutable {
      c.OnBehind(id, std::move(behind));
    });
  }

 private:
  template <typename Call>
  void Post(Call call) {
    boost::asio::post(
        connection_->executor(),
        [connection = connection_, call = std::move(call)]() mutable { call(*connection); });
  }

  const std::shared_ptr<Connection> connection_;
  const uint64_t id_;
  const HttpRequest request_;
};

}  // namespace

std::shared_ptr<Exchange> MakeSocketExchange(std::shared_ptr<Connection> connection, uint64_t id,
                                             HttpRequest request) {
  return std::make_shared<SocketExchange>(std::move(connection), id, std::move(request));
}

}  // namespace gemma3n::server
