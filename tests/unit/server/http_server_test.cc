// The server over real sockets with handlers of the test's own: answers in pieces, slow readers,
// clients that go.
#include "server/http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace gemma3n::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

// Waits until `condition` holds.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

class Client {
 public:
  explicit Client(const std::string& address, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Client() { Close(); }

  void Send(const std::string& text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void Get(const std::string& path, const std::string& more = "") {
    Send("GET " + path + " HTTP/1.1\r\nHost: h\r\n" + more + "\r\n");
  }
  // Until `what` has come, or the end. What follows it waits for the next call.
  std::string ReadUntil(const std::string& what) {
    std::string text;
    char buffer[4096];
    for (;;) {
      pollfd wait = {fd_, POLLIN, 0};
      if (::poll(&wait, 1, 20000) != 1) {
        ADD_FAILURE() << "nothing more comes after " << text;
        return text;
      }
      const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), MSG_PEEK);
      if (n <= 0) return text + (n < 0 ? "(reset)" : "");
      const size_t before = text.size();
      text.append(buffer, static_cast<size_t>(n));
      const size_t at = what.empty() ? std::string::npos
                                     : text.find(what, before - std::min(before, what.size()));
      if (at != std::string::npos) text.resize(at + what.size());
      ::recv(fd_, buffer, text.size() - before, 0);
      if (at != std::string::npos) return text;
    }
  }
  void ReadSome(size_t bytes) {
    std::string buffer(bytes, 0);
    ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  }
  std::string ReadAll() { return ReadUntil(""); }
  void HalfClose() { ::shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // As a process does that is killed with unread bytes.
  void Reset() {
    const linger hard = {1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }

 private:
  int fd_ = -1;
};

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    options_.port = 0;
    options_.workers = 2;
  }
  void Start() {
    auto server = HttpServer::Start(options_, gate_, metrics_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(*server);
  }
  // GET path is answered by `handler`, which gets the exchange as its own.
  void Add(const char* path, Handler handler, RouteTraits traits = {}) {
    router_.Add("GET", path, ErrorStyle::kOpenAi, std::move(handler), traits);
  }
  // An exchange that GET /held leaves to the test.
  void AddHeld() {
    Add("/held", [this](std::shared_ptr<Exchange> exchange) {
      exchange->OnGone([this] { ++gone_; });
      const std::lock_guard lock(mutex_);
      held_ = std::move(exchange);
    });
  }
  std::shared_ptr<Exchange> TakeHeld() {
    std::shared_ptr<Exchange> taken;
    EXPECT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex_);
      taken = std::move(held_);
      return taken != nullptr;
    }));
    return taken;
  }
  void TearDown() override {
    held_.reset();
    if (server_) {
      EXPECT_TRUE(Eventually([&] { return metrics_.exchanges == 0; }));
      EXPECT_TRUE(Eventually([&] { return metrics_.body_bytes == 0; }));
    }
  }

  HttpOptions options_;
  Router router_;
  Gate gate_{router_, {}};
  Metrics metrics_;
  std::mutex mutex_;
  std::shared_ptr<Exchange> held_;
  std::atomic<int> gone_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersInPieces) {
  Add("/", [](const std::shared_ptr<Exchange>& exchange) {
    exchange->Begin(200, "text/event-stream", {{"x-one", "1"}});
    exchange->Write("data: a\n\n");
    exchange->Write("");
    exchange->Write(std::string(20, 'b'));
    exchange->Finish();
    exchange->Write("late");
  });
  Start();
  Client client(server_->address());
  for (int i = 0; i < 2; ++i) {
    client.Get("/");
    const std::string text = client.ReadUntil("\r\n0\r\n\r\n");
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(text, HasSubstr("transfer-encoding: chunked\r\n"));
    EXPECT_THAT(text, HasSubstr("x-one: 1\r\n"));
    EXPECT_THAT(text, HasSubstr("cache-control: no-store\r\n"));
    EXPECT_THAT(text,
                EndsWith("\r\n\r\n9\r\ndata: a\n\n\r\n14\r\nbbbbbbbbbbbbbbbbbbbb\r\n0\r\n\r\n"));
    EXPECT_THAT(text, Not(HasSubstr("content-length")));
  }
}

TEST_F(HttpServerTest, PiecesForHttp10EndWithTheConnection) {
  Add("/", [](const std::shared_ptr<Exchange>& exchange) {
    exchange->Begin(200, "text/plain");
    exchange->Write("one,");
    exchange->Write("two");
    exchange->Finish();
  });
  Start();
  Client client(server_->address());
  client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string text = client.ReadAll();
  EXPECT_THAT(text, EndsWith("\r\n\r\none,two"));
  EXPECT_THAT(text, Not(HasSubstr("chunked")));
}

TEST_F(HttpServerTest, HeadOfAnAnswerInPiecesHasNone) {
  Add("/", [](const std::shared_ptr<Exchange>& exchange) {
    exchange->Begin(200, "text/plain");
    exchange->Write("pieces");
    exchange->Finish();
  });
  Start();
  Client client(server_->address());
  client.Send(
      "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string text = client.ReadAll();
  EXPECT_THAT(text, EndsWith("\r\n\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("pieces")));
  EXPECT_NE(text.find("HTTP/1.1 200", 10), std::string::npos);
}

TEST_F(HttpServerTest, PipelinedAnswersWaitForTheirTurn) {
  AddHeld();
  Add("/quick", [](const std::shared_ptr<Exchange>& e) { e->Respond(200, "text/plain", "Q"); },
      {.quick = true});
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  client.Get("/quick", "Connection: close\r\n");
  std::this_thread::sleep_for(20ms);
  held->Respond(200, "text/plain", "H");
  const std::string text = client.ReadAll();
  EXPECT_LT(text.find("\r\n\r\nH"), text.find("\r\n\r\nQ"));
}

TEST_F(HttpServerTest, AResetWhileTheAnswerIsAwaitedIsNoticedAtOnce) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  EXPECT_EQ(gone_, 0);
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  held->Respond(200, "text/plain", "to nobody");
}

TEST_F(HttpServerTest, AClientThatClosesIsFoundOut) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  client.Close();  // looks like a half close at first
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(HttpServerTest, AClientThatOnlyStopsSendingGetsItsAnswer) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  client.HalfClose();
  // What finds out those that have closed: an answer that every client skips.
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  held->Respond(200, "text/plain", "still here");
  EXPECT_THAT(client.ReadAll(), EndsWith("still here"));
  EXPECT_EQ(gone_, 0);
}

TEST_F(HttpServerTest, AClientThatGoesInMidStreamIsNoticed) {
  AddHeld();
  Start();
  for (const bool reset : {true, false}) {
    gone_ = 0;
    Client client(server_->address());
    client.Get("/held");
    const auto held = TakeHeld();
    held->Begin(200, "text/event-stream");
    held->Write("data: 1\n\n");
    client.ReadUntil("data: 1");
    reset ? client.Reset() : client.Close();
    EXPECT_TRUE(Eventually([&] {
      held->Write("data: more\n\n");
      return gone_ == 1;
    }));
  }
}

TEST_F(HttpServerTest, WhoAsksLateWhetherTheClientHasGoneIsTold) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  std::atomic<bool> told = false;
  held->OnGone([&] { told = true; });
  EXPECT_TRUE(Eventually([&] { return told.load(); }));
}

TEST_F(HttpServerTest, NobodyHasGoneAfterTheEnd) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  TakeHeld()->Respond(200, "text/plain", "x");
  client.ReadUntil("\r\n\r\nx");
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return metrics_.connections == 0; }));
  EXPECT_EQ(gone_, 0);
}

TEST_F(HttpServerTest, SaysWhenTheReaderIsBehindAndWhenItHasCaughtUp) {
  options_.behind_bytes = 64 << 10;
  AddHeld();
  Start();
  Client client(server_->address(), 8 << 10);
  client.Get("/held");
  const auto held = TakeHeld();
  std::atomic<int> state{0}, changes{0};
  held->OnBehind([&](bool behind) {
    ++changes;  // before the state that the test waits for
    state = behind ? 1 : 2;
  });
  held->Begin(200, "text/plain");
  // More than the system's buffers take, and little enough to be read soon in spite of its small
  // window; at one go, for piece by piece it could be behind, catch up and be behind again.
  held->Write(std::string(640 << 10, 'p'));
  EXPECT_TRUE(Eventually([&] { return state == 1; }));
  EXPECT_EQ(changes, 1);
  // From now on it reads. (A request's number in the headers may end in 0, too.)
  std::thread reader([&] { client.ReadUntil("\r\n0\r\n\r\n"); });
  EXPECT_TRUE(Eventually([&] { return state == 2; }));
  EXPECT_EQ(changes, 2);
  held->Finish();
  reader.join();
}

TEST_F(HttpServerTest, AReaderThatTakesNothingIsCutOff) {
  options_.write_seconds = 0.3;
  AddHeld();
  Start();
  Client client(server_->address(), 8 << 10);
  client.Get("/held");
  const auto held = TakeHeld();
  held->Begin(200, "text/plain");
  held->Write(std::string(64 << 20, 'p'));
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(HttpServerTest, AReaderThatTakesTooLittleWhileItsAnswerWaitsIsCutOff) {
  options_.write_seconds = 0.5;
  options_.behind_bytes = 256 << 10;
  AddHeld();
  Start();
  Client client(server_->address(), 8 << 10);
  client.Get("/held");
  const auto held = TakeHeld();
  held->Begin(200, "text/plain");
  held->Write(std::string(8 << 20, 'p'));
  // Some bytes now and then, always before the time is over.
  EXPECT_TRUE(Eventually([&] {
    client.ReadSome(2000);
    std::this_thread::sleep_for(20ms);
    return gone_ == 1;
  }));
}

TEST_F(HttpServerTest, ASilentStreamOfEventsShowsThatItLives) {
  options_.beat_seconds = 0.05;
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  auto held = TakeHeld();
  held->Begin(200, "text/event-stream");
  held->Write("data: 1\n\n");
  client.ReadUntil("\r\n9\r\ndata: 1\n\n\r\n");
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "3\r\n:\n\n\r\n");
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "3\r\n:\n\n\r\n");
  held->Finish();
  client.ReadUntil("0\r\n\r\n");
  // Other answers are what their API writes.
  client.Get("/held");
  held = TakeHeld();
  held->Begin(200, "application/x-ndjson");
  std::this_thread::sleep_for(200ms);
  held->Finish();
  EXPECT_THAT(client.ReadUntil("\r\n0\r\n\r\n"), EndsWith("\r\n\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, AClientThatClosesInASilentStreamIsFoundOut) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  held->Begin(200, "text/event-stream");
  client.ReadUntil("\r\n\r\n");
  client.Close();
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(HttpServerTest, DroppingAnExchangeEndsTheConnection) {
  Add("/forgotten", [](const std::shared_ptr<Exchange>&) {});
  Start();
  Client client(server_->address());
  client.Get("/forgotten");
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(HttpServerTest, WhatAHandlerThrowsIsAnAnswer) {
  Add("/throws", [](const std::shared_ptr<Exchange>&) { throw std::runtime_error("oh"); });
  Start();
  Client client(server_->address());
  client.Get("/throws");
  EXPECT_THAT(client.ReadUntil("}}"), AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("oh")));
}

TEST_F(HttpServerTest, RefusesWhatTheWorkersCannotTake) {
  options_.workers = 1;
  options_.max_queued = 1;
  std::mutex mutex;
  std::condition_variable free;
  bool open = false;
  std::atomic<int> running{0};
  Add("/slow", [&](const std::shared_ptr<Exchange>& exchange) {
    ++running;
    std::unique_lock lock(mutex);
    free.wait(lock, [&] { return open; });
    exchange->Respond(200, "text/plain", "done");
  });
  Add("/quick", [](const std::shared_ptr<Exchange>& e) { e->Respond(200, "text/plain", "Q"); },
      {.quick = true});
  Start();
  Client first(server_->address()), second(server_->address()), third(server_->address());
  first.Get("/slow");
  ASSERT_TRUE(Eventually([&] { return running == 1; }));
  second.Get("/slow");
  ASSERT_TRUE(Eventually([&] { return metrics_.exchanges == 2; }));
  third.Get("/slow");
  EXPECT_THAT(third.ReadUntil("}}"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("retry-after: 1\r\n")));
  third.Get("/quick");
  EXPECT_THAT(third.ReadUntil("Q"), HasSubstr("HTTP/1.1 200 OK"));
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  free.notify_all();
  EXPECT_THAT(first.ReadUntil("done"), HasSubstr("200 OK"));
  EXPECT_THAT(second.ReadUntil("done"), HasSubstr("200 OK"));
}

class BodyTest : public HttpServerTest {
 protected:
  void SetUp() override {
    router_.Add("POST", "/size", ErrorStyle::kOpenAi, [](const std::shared_ptr<Exchange>& e) {
      e->Respond(200, "text/plain", fmt::format("({})", e->request().body.size()));
    });
    router_.Add("POST", "/held", ErrorStyle::kOpenAi, [this](std::shared_ptr<Exchange> e) {
      const std::lock_guard lock(mutex_);
      held_ = std::move(e);
    });
  }
  void Post(Client& client, const std::string& path, const std::string& headers,
            const std::string& body = "") {
    client.Send("POST " + path + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body);
  }
};

TEST_F(BodyTest, ContinuesWhereTheClientAsksFirst) {
  Start();
  Client client(server_->address());
  Post(client, "/size", "Content-Length: 3\r\nExpect: 100-Continue\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_THAT(client.ReadUntil("(3)"), StartsWith("HTTP/1.1 200 OK\r\n"));
  // A body that is there already needs no go-ahead, and one that is refused gets none.
  Post(client, "/size", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc");
  EXPECT_THAT(client.ReadUntil("(3)"), StartsWith("HTTP/1.1 200 OK\r\n"));
  Post(client, "/nothing", "Content-Length: 3\r\nExpect: 100-continue\r\n");
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 404 "));
}

TEST_F(BodyTest, ReadsChunksAndLongBodies) {
  Start();
  Client client(server_->address());
  Post(client, "/size", "Transfer-Encoding: chunked\r\n",
       "3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
  EXPECT_THAT(client.ReadUntil(")"), EndsWith("(19)"));
  Post(client, "/size", "Content-Length: 5000000\r\n", std::string(5000000, 'x'));
  EXPECT_THAT(client.ReadUntil(")"), EndsWith("(5000000)"));
}

TEST_F(BodyTest, AllBodiesTogetherHaveALimit) {
  options_.max_bodies_bytes = 1000;
  Start();
  Client first(server_->address()), second(server_->address());
  Post(first, "/held", "Content-Length: 900\r\n", std::string(900, 'x'));
  const auto held = TakeHeld();
  Post(second, "/size", "Content-Length: 500\r\n", std::string(500, 'x'));
  EXPECT_THAT(second.ReadAll(),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("retry-after: 5\r\n")));
  held->Respond(200, "text/plain", "done");
  first.ReadUntil("done");
  Post(first, "/size", "Content-Length: 500\r\n", std::string(500, 'x'));
  EXPECT_THAT(first.ReadUntil(")"), EndsWith("(500)"));
}

TEST_F(BodyTest, ABodyMayTakeAsLongAsItsSizeDeservesAndNoLonger) {
  options_.body_seconds = 0.2;
  options_.body_rate = 1000;
  Start();
  Client client(server_->address());
  Post(client, "/size", "Content-Length: 600\r\n");
  for (int i = 0; i < 6; ++i) {  // 0.48 s, within 0.2 s and a millisecond for each byte
    client.Send(std::string(100, 'x'));
    std::this_thread::sleep_for(80ms);
  }
  EXPECT_THAT(client.ReadUntil(")"), EndsWith("(600)"));
  Post(client, "/size", "Content-Length: 600\r\n", "a few bytes");
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(BodyTest, ABodyThatEndsTooSoonIsNoRequest) {
  Start();
  Client client(server_->address());
  Post(client, "/size", "Content-Length: 600\r\n", "a few bytes");
  client.HalfClose();
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(HttpServerTest, StopsListeningAndGoesOnWithWhatIsOpen) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  const auto held = TakeHeld();
  gate_.CloseForNew();
  server_->StopListening();
  held->Respond(200, "text/plain", "done");
  EXPECT_THAT(client.ReadAll(), AllOf(HasSubstr("connection: close\r\n"), EndsWith("done")));
}

TEST_F(HttpServerTest, EndsWithExchangesUnderWay) {
  AddHeld();
  Start();
  Client client(server_->address());
  client.Get("/held");
  TakeHeld()->Begin(200, "text/plain");
  client.Get("/held");
  server_.reset();
  client.ReadAll();
}

}  // namespace
}  // namespace gemma3n::server
