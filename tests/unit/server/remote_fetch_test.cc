#include "server/api/remote_fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "tests/unit/server/loopback_server.h"

namespace gemma3n::server {
namespace {

bool IsPublic(const std::string& text) {
  sockaddr_storage storage = {};
  if (text.find(':') == text.npos) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &in.sin_addr), 1) << text;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(storage);
    in.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &in.sin6_addr), 1) << text;
  }
  return IsPublicAddress(reinterpret_cast<const sockaddr&>(storage));
}

TEST(PublicAddress, TheInternetIs) {
  for (const char* text :
       {"1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255", "128.0.0.1",
        "169.253.255.255", "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
        "192.0.1.0",       "192.167.255.255", "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1",
        "2001:4860::8888", "3fff:1000::1",    "2003::1"}) {
    EXPECT_TRUE(IsPublic(text)) << text;
  }
}

TEST(PublicAddress, NothingElseIs) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.254",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.7",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "::ffff:127.0.0.1",
                           "::ffff:8.8.8.8",
                           "64:ff9b::7f00:1",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "3fff:fff::1",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "5f00::1"}) {
    EXPECT_FALSE(IsPublic(text)) << text;
  }
  sockaddr unix_socket = {};
  unix_socket.sa_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(unix_socket));
}

TEST(HostMatches, ExactlyOrBelow) {
  EXPECT_TRUE(HostMatches("example.org", {"example.org"}));
  EXPECT_TRUE(HostMatches("EXAMPLE.org.", {"other.net", "Example.ORG"}));
  EXPECT_TRUE(HostMatches("a.b.example.org", {"*.example.org"}));
  EXPECT_FALSE(HostMatches("example.org", {"*.example.org"}));
  EXPECT_FALSE(HostMatches("badexample.org", {"*.example.org", "example.org"}));
  EXPECT_FALSE(HostMatches("example.org.evil.net", {"*.example.org", "example.org"}));
  EXPECT_FALSE(HostMatches("", {"*.example.org"}));
  EXPECT_FALSE(HostMatches("example.org", {}));
}

RemoteFetchOptions AnyAddress() {
  RemoteFetchOptions options;
  options.max_bytes = 1000;
  options.seconds = 10;
  options.may_connect = [](const sockaddr&) { return true; };
  return options;
}

std::string Text(const Result<std::vector<std::byte>>& bytes) {
  if (!bytes.ok()) return "error: " + bytes.status().message();
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

// Answers for the paths that the tests ask for.
std::string Scripted(const std::string& request) {
  const auto asks = [&](const char* path) {
    return request.starts_with("GET " + std::string(path) + " HTTP/1.1\r\n");
  };
  if (asks("/picture")) return HttpReply(200, "Content-Length: 5\r\n", "bytes");
  if (asks("/chunked")) {
    return HttpReply(200, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  }
  if (asks("/announced")) return HttpReply(200, "Content-Length: 1001\r\n", "x");
  if (asks("/endless")) return HttpReply(200, "", std::string(100000, 'x'));
  if (asks("/cut")) return HttpReply(200, "Content-Length: 10\r\n", "half");
  if (asks("/once")) return HttpReply(302, "Location: /picture\r\n", "");
  if (asks("/three")) return HttpReply(302, "Location: /two\r\n", "");
  if (asks("/two")) return HttpReply(307, "Location: /once\r\n", "");
  if (asks("/four")) return HttpReply(302, "Location: /three\r\n", "");
  if (asks("/loop")) return HttpReply(301, "Location: /loop\r\n", "");
  if (asks("/to-file")) return HttpReply(302, "Location: file:///etc/hostname\r\n", "");
  if (asks("/to-gopher")) return HttpReply(302, "Location: gopher://127.0.0.1/\r\n", "");
  if (asks("/to-other")) return HttpReply(302, "Location: http://other.invalid/picture\r\n", "");
  if (asks("/headers")) {
    std::string many;
    for (int i = 0; i < 400; ++i) many += "X-Padding: " + std::string(1000, 'x') + "\r\n";
    return HttpReply(200, many, "bytes");
  }
  if (asks("/no-http")) return "bytes alone";
  if (asks("/echo")) return HttpReply(200, "Set-Cookie: a=b\r\n", request);
  return HttpReply(404, "", "missing");
}

TEST(FetchRemote, TheBody) {
  const LoopbackServer server(Scripted);
  EXPECT_EQ(Text(FetchRemote(server.Url("/picture"), AnyAddress())), "bytes");
  EXPECT_EQ(Text(FetchRemote(server.Url("/chunked"), AnyAddress())), "abcde");
  EXPECT_EQ(Text(FetchRemote(server.Url("/picture", "localhost"), AnyAddress())), "bytes");
}

TEST(FetchRemote, SaysNothingOfItsUser) {
  const LoopbackServer server(Scripted);
  const std::string request = Text(FetchRemote(server.Url("/echo"), AnyAddress()));
  for (const char* header : {"Cookie", "Authorization", "Referer", "Accept-Encoding"}) {
    EXPECT_EQ(request.find(header), request.npos) << request;
  }
}

TEST(FetchRemote, NeverAnAddressThatIsNotPublic) {
  const LoopbackServer server(Scripted);
  RemoteFetchOptions options = AnyAddress();
  options.may_connect = RemoteFetchOptions().may_connect;  // the default
  // Names of loopback and ways to write it; 0x7f000001 is what URL parsers make 127.0.0.1 of.
  for (const char* host : {"127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "0",
                           "[::1]", "[::ffff:127.0.0.1]"}) {
    const auto bytes = FetchRemote(server.Url("/picture", host), options);
    EXPECT_FALSE(bytes.ok()) << host;
    EXPECT_EQ(bytes.status().code(), StatusCode::kInvalidArgument) << bytes.status().message();
    EXPECT_NE(bytes.status().message().find("not public"), std::string::npos)
        << bytes.status().message();
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(FetchRemote, EnvironmentsProxyIsNotAsked) {
  const LoopbackServer server(Scripted), proxy(Scripted);
  ::setenv("http_proxy", proxy.Url("").c_str(), 1);
  const auto bytes = FetchRemote(server.Url("/picture"), AnyAddress());
  ::unsetenv("http_proxy");
  EXPECT_EQ(Text(bytes), "bytes");
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(FetchRemote, FollowsThreeRedirects) {
  const LoopbackServer server(Scripted);
  EXPECT_EQ(Text(FetchRemote(server.Url("/once"), AnyAddress())), "bytes");
  EXPECT_EQ(Text(FetchRemote(server.Url("/three"), AnyAddress())), "bytes");
  for (const char* path : {"/four", "/loop"}) {
    const auto status = FetchRemote(server.Url(path), AnyAddress()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("more than 3 redirects"), std::string::npos);
  }
}

TEST(FetchRemote, ChecksWhereRedirectsLead) {
  const LoopbackServer server(Scripted);
  for (const char* path : {"/to-file", "/to-gopher"}) {
    const auto status = FetchRemote(server.Url(path), AnyAddress()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << path << status.message();
  }
  RemoteFetchOptions options = AnyAddress();
  options.hosts = {"127.0.0.1"};
  const auto status = FetchRemote(server.Url("/to-other"), options).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("other.invalid"), std::string::npos) << status.message();

  // An address that may not be reached, behind one that may.
  const LoopbackServer hidden(Scripted);
  const LoopbackServer leads([&](const std::string&) {
    return HttpReply(302, "Location: " + hidden.Url("/picture") + "\r\n", "");
  });
  int asked = 0;
  options = AnyAddress();
  options.may_connect = [&](const sockaddr&) { return ++asked == 1; };
  EXPECT_EQ(FetchRemote(leads.Url("/"), options).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(hidden.connections(), 0);
}

TEST(FetchRemote, OnlyListedHosts) {
  const LoopbackServer server(Scripted);
  RemoteFetchOptions options = AnyAddress();
  options.hosts = {"*.example.org"};
  const auto status = FetchRemote(server.Url("/picture"), options).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

TEST(FetchRemote, StopsAtTheLimit) {
  const LoopbackServer server(Scripted);
  for (const char* path : {"/announced", "/endless"}) {
    EXPECT_EQ(FetchRemote(server.Url(path), AnyAddress()).status().code(), StatusCode::kOutOfRange)
        << path;
  }
  RemoteFetchOptions exact = AnyAddress();
  exact.max_bytes = 5;
  EXPECT_EQ(Text(FetchRemote(server.Url("/chunked"), exact)), "abcde");
  exact.max_bytes = 4;
  EXPECT_EQ(FetchRemote(server.Url("/chunked"), exact).status().code(), StatusCode::kOutOfRange);
}

TEST(FetchRemote, OtherAnswersAreErrors) {
  const LoopbackServer server(Scripted);
  EXPECT_EQ(FetchRemote(server.Url("/missing"), AnyAddress()).status().code(),
            StatusCode::kNotFound);
  for (const char* path : {"/cut", "/headers", "/no-http"}) {
    EXPECT_EQ(FetchRemote(server.Url(path), AnyAddress()).status().code(), StatusCode::kIo) << path;
  }
}

TEST(FetchRemote, EndsInTime) {
  const LoopbackServer server([](const std::string&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    return HttpReply(200, "", "late");
  });
  RemoteFetchOptions options = AnyAddress();
  options.seconds = 0.2;
  const auto status = FetchRemote(server.Url("/"), options).status();
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("within 0.2 s"), std::string::npos) << status.message();
}

TEST(FetchRemote, RefusesOddUrls) {
  for (const char* url : {"http://", "ftp://example.org/a", "file:///etc/passwd", "//example.org/a",
                          "http://user:secret@example.org/a", "http://user@example.org/a", ""}) {
    const auto status = FetchRemote(url, AnyAddress()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url << ": " << status.message();
    EXPECT_EQ(status.message().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace gemma3n::server
