#include "server/api/media_access.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/server/loopback_server.h"

namespace gemma3n::server {
namespace {

namespace fs = std::filesystem;

std::string Text(const Result<MediaSource>& source) {
  if (!source.ok()) return "error: " + source.status().message();
  return {reinterpret_cast<const char*>(source->bytes->data()), source->bytes->size()};
}

class MediaFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "gemma3n-media-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directories(root_ / "allowed/inner");
    fs::create_directories(root_ / "allowed-not");
    Write(root_ / "allowed/a b.png", "picture");
    Write(root_ / "allowed/inner/clip.wav", "clip");
    Write(root_ / "secret", "secret");
    Write(root_ / "allowed-not/near", "secret");
    options_.folders = {root_ / "allowed"};
  }
  void TearDown() override { fs::remove_all(root_); }

  static void Write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  Result<MediaSource> Open(const std::string& location) const {
    return MediaAccess(options_).Open(location);
  }
  std::string Allowed(const std::string& path) const { return root_ / "allowed" / path; }

  void ExpectRefused(const std::string& location) const {
    const auto source = Open(location);
    EXPECT_EQ(source.status().code(), StatusCode::kInvalidArgument)
        << location << ": " << Text(source);
  }

  fs::path root_;
  MediaAccessOptions options_;
};

TEST_F(MediaFolder, FilesBelowIt) {
  EXPECT_EQ(Text(Open(Allowed("a b.png"))), "picture");
  EXPECT_EQ(Text(Open(Allowed("inner/clip.wav"))), "clip");
  EXPECT_EQ(Text(Open(Allowed("inner/../inner/./clip.wav"))), "clip");
  EXPECT_EQ(Text(Open("inner/clip.wav")), "clip");  // from the folder
  EXPECT_EQ(Text(Open("file://" + Allowed("a%20b.png"))), "picture");
  EXPECT_EQ(Text(Open("FILE://localhost" + Allowed("inner/clip.wav"))), "clip");
  EXPECT_EQ(Open(Allowed("a b.png"))->location, Allowed("a b.png"));  // a name for messages
}

TEST_F(MediaFolder, SeveralFoldersAndSpellings) {
  options_.folders = {root_ / "absent", root_ / "allowed/inner/", root_ / "allowed/./"};
  EXPECT_EQ(Text(Open("clip.wav")), "clip");
  EXPECT_EQ(Text(Open("a b.png")), "picture");
  EXPECT_EQ(Text(Open(Allowed("a b.png"))), "picture");
}

TEST_F(MediaFolder, NothingElse) {
  ExpectRefused(root_ / "secret");
  ExpectRefused(root_ / "absent");  // not even whether it is there
  ExpectRefused(root_ / "allowed-not/near");
  ExpectRefused("../secret");
  ExpectRefused(Allowed("../secret"));
  ExpectRefused(Allowed("inner/../../secret"));
  ExpectRefused("file://" + Allowed("%2e%2e/secret"));
  ExpectRefused("file://" + Allowed("..%2fsecret"));
  ExpectRefused("file://elsewhere" + Allowed("a%20b.png"));
  ExpectRefused("/etc/passwd");
  ExpectRefused("file:///etc/passwd");
  ExpectRefused("/proc/self/environ");
  ExpectRefused(Allowed(std::string("a b.png\0x", 9)));
  ExpectRefused(root_ / "allowed");  // the folder itself
  ExpectRefused(Allowed("inner"));   // no file
  ExpectRefused("");
  ExpectRefused("ftp://example.org/a.png");
  options_.folders.clear();
  ExpectRefused(Allowed("a b.png"));
}

TEST_F(MediaFolder, SymbolicLinks) {
  fs::create_symlink(root_ / "secret", root_ / "allowed/out");
  fs::create_symlink("../secret", root_ / "allowed/out-relative");
  fs::create_directory_symlink(root_, root_ / "allowed/up");
  fs::create_symlink("inner/clip.wav", root_ / "allowed/within");
  fs::create_directory_symlink(root_ / "allowed", root_ / "other-name");
  ExpectRefused(Allowed("out"));
  ExpectRefused(Allowed("out-relative"));
  ExpectRefused(Allowed("up/secret"));
  ExpectRefused("/proc/self/root" + (root_ / "secret").string());
  EXPECT_EQ(Text(Open(Allowed("within"))), "clip");
  EXPECT_EQ(Text(Open(Allowed("up/allowed/inner/clip.wav"))), "clip");
  options_.folders = {root_ / "other-name"};  // either name will do
  EXPECT_EQ(Text(Open(root_ / "other-name/inner/clip.wav")), "clip");
  EXPECT_EQ(Text(Open(Allowed("inner/clip.wav"))), "clip");
}

TEST_F(MediaFolder, MissingAndOddFiles) {
  EXPECT_EQ(Open(Allowed("absent.png")).status().code(), StatusCode::kNotFound);
  ASSERT_EQ(::mkfifo(Allowed("pipe").c_str(), 0600), 0);
  ExpectRefused(Allowed("pipe"));  // and does not wait for a writer
}

TEST_F(MediaFolder, SizesAreLimited) {
  options_.max_bytes = 7;
  EXPECT_EQ(Text(Open(Allowed("a b.png"))), "picture");
  EXPECT_EQ(Text(Open("data:,1234567")), "1234567");
  options_.max_bytes = 6;
  EXPECT_EQ(Open(Allowed("a b.png")).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(Open("data:,1234567").status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(Open("data:;base64,MTIzNDU2Nw==").status().code(), StatusCode::kOutOfRange);
}

TEST_F(MediaFolder, WhatWasReadStays) {
  const auto source = Open(Allowed("a b.png"));
  Write(Allowed("a b.png"), "other");
  EXPECT_EQ(Text(source), "picture");
}

TEST(MediaAccess, DataUrls) {
  const MediaAccess access({});
  EXPECT_EQ(Text(access.Open("data:image/png;base64,aGVsbG8=")), "hello");
  EXPECT_EQ(Text(access.Open("DATA:text/plain,a%20b")), "a b");
  EXPECT_EQ(access.Open("data:image/png;base64,aGVsbG8=")->location, "data: URL");
  for (const char* url :
       {"data:image/png;base64", "data:;base64,a", "data:;base64,a*b=", "data:,%"}) {
    EXPECT_EQ(access.Open(url).status().code(), StatusCode::kInvalidArgument) << url;
  }
}

TEST(MediaAccess, Base64) {
  const MediaAccess access({});
  EXPECT_EQ(Text(access.OpenBase64("aGVsbG8=")), "hello");
  EXPECT_EQ(access.OpenBase64("a*b=").status().code(), StatusCode::kInvalidArgument);
  MediaAccessOptions small;
  small.max_bytes = 4;
  EXPECT_EQ(MediaAccess(small).OpenBase64("aGVsbG8=").status().code(), StatusCode::kOutOfRange);
}

TEST(MediaAccess, FetchesAtOnceAreLimited) {
  MediaAccessOptions options;
  options.remote = true;
  options.remote_at_once = 0;
  EXPECT_EQ(MediaAccess(options).Open("http://example.org/").status().code(),
            StatusCode::kResourceExhausted);
}

TEST(MediaAccess, RemoteOnlyWhereSwitchedOnAndPublic) {
  const LoopbackServer server(
      [](const std::string&) { return HttpReply(200, "", "reached what it must not"); });
  MediaAccessOptions options;
  auto status = MediaAccess(options).Open(server.Url("/")).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("--allow-remote-media"), std::string::npos);
  options.remote = true;
  status = MediaAccess(options).Open(server.Url("/")).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("not public"), std::string::npos) << status.message();
  EXPECT_FALSE(MediaAccess(options).Open("HTTP" + server.Url("/").substr(4)).ok());
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace gemma3n::server
