#include "server/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/http/target.h"

namespace gemma3n::server {
namespace {

using Event = RequestReader::Event;
using ::testing::HasSubstr;

constexpr ReadLimits kLimits{512, 100};

// Feeds `text` in pieces of `step` bytes as a connection does; returns the last event and leaves in
// `text` what was not used.
Event Read(RequestReader& reader, std::string& text, size_t step) {
  std::string in;
  for (;;) {
    const std::string piece = text.substr(0, step);
    text.erase(0, step);
    in += piece;
    for (;;) {
      size_t used = 0;
      const Event event = reader.Feed(in, used);
      in.erase(0, used);
      if (event == Event::kHeader) continue;
      if (event != Event::kMore) {
        text = in + text;
        return event;
      }
      break;
    }
    if (piece.empty()) return Event::kMore;
  }
}

TEST(RequestReaderTest, ReadsTheSameHoweverTheBytesCome) {
  const std::string chunked =
      "POST /a/b%20c?x=1&y=%26+z HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one: 2\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: t\r\n\r\nGET ";
  const std::string whole =
      "POST /a/b%20c?x=1&y=%26+z HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one: 2\r\n"
      "Content-Length: 5\r\n\r\nabcdeGET ";
  for (const std::string& original : {chunked, whole}) {
    for (size_t step = 1; step <= original.size(); ++step) {
      RequestReader reader(kLimits);
      std::string text = original;
      ASSERT_EQ(Read(reader, text, step), Event::kDone) << step;
      EXPECT_EQ(text, "GET ");
      const HttpRequest& request = reader.request();
      EXPECT_EQ(request.method, "POST");
      EXPECT_EQ(request.path, "/a/b c");
      EXPECT_EQ(request.query, (std::map<std::string, std::string>{{"x", "1"}, {"y", "& z"}}));
      EXPECT_EQ(request.Header("x-one"), "1, 2");
      EXPECT_EQ(request.body, "abcde");
      EXPECT_TRUE(reader.keep_alive());
    }
  }
}

TEST(RequestReaderTest, StopsAtTheHeaderSoThatItCanBeJudged) {
  RequestReader reader(kLimits);
  const std::string text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  size_t used = 0;
  ASSERT_EQ(reader.Feed(text, used), Event::kHeader);
  EXPECT_EQ(used, text.size() - 2);
  EXPECT_TRUE(reader.has_body());
  EXPECT_EQ(reader.body_bytes(), 0);
}

int Fails(std::string text, std::string* message = nullptr) {
  RequestReader reader(kLimits);
  if (Read(reader, text, text.size()) != Event::kFailed) return 0;
  if (message != nullptr) *message = reader.error().message;
  return reader.error().status;
}

TEST(RequestReaderTest, LimitsHoldBeforeTheBytesCome) {
  EXPECT_EQ(Fails("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(600, 'x')), 431);
  EXPECT_EQ(Fails("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"), 413);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Fails(chunked + "65\r\n"), 413);
  EXPECT_EQ(Fails(chunked + "40\r\n" + std::string(64, 'x') + "\r\n40\r\n"), 413);
  EXPECT_EQ(Fails(chunked + "ffffffffffffffff\r\n"), 413);
  EXPECT_EQ(Fails(chunked + "fffffffffffffffff\r\n"), 400);
}

TEST(RequestReaderTest, AChunksHeaderMayNotGrowWithoutEnd) {
  RequestReader reader(kLimits);
  std::string text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                     std::string(20000, 'x');
  EXPECT_EQ(Read(reader, text, 1000), Event::kFailed);
  EXPECT_EQ(reader.error().status, 400);
}

TEST(RequestReaderTest, RefusesWhatTwoReadersCouldTakeApartDifferently) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  for (const char* rest :
       {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length: 1, 2\r\n\r\nab",
        "Content-Length: +1\r\n\r\na", "Content-Length: 0x1\r\n\r\na", "Content-Length: \r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n", "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Content-Length : 1\r\n\r\na",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n\r\n"}) {
    EXPECT_GE(Fails(start + rest), 400) << rest;
  }
}

TEST(RequestReaderTest, SaysWhatItMissed) {
  std::string message;
  EXPECT_EQ(Fails("GET / HTTP/1.1\r\n\r\n", &message), 400);
  EXPECT_THAT(message, HasSubstr("Host"));
  EXPECT_EQ(Fails("GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n", &message), 400);
  EXPECT_THAT(message, HasSubstr("hex digits"));
  EXPECT_EQ(Fails("GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", &message), 417);
  EXPECT_EQ(Fails("GET / HTTP/3.0\r\nHost: h\r\n\r\n", &message), 505);
}

TEST(TargetTest, Forms) {
  EXPECT_EQ(ParseTarget("/")->path, "/");
  EXPECT_EQ(ParseTarget("*")->path, "*");
  EXPECT_EQ(ParseTarget("http://h:1/p?q=1")->path, "/p");
  EXPECT_EQ(ParseTarget("http://h")->path, "/");
  EXPECT_EQ(ParseTarget("/a+b?a+b=c+d")->path, "/a+b");
  EXPECT_EQ(ParseTarget("/a+b?a+b=c+d")->query.at("a b"), "c d");
  EXPECT_EQ(ParseTarget("/?&a&=b&c=")->query.size(), 3u);
  EXPECT_EQ(ParseTarget("/p#f")->path, "/p");
  for (const char* bad :
       {"", "p", "ftp://h/p", "/%", "/%1", "/%gg", "/%00", "/?a=%0a", "http://h?x"}) {
    EXPECT_FALSE(ParseTarget(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace gemma3n::server
