#include "server/api/multipart.h"

#include <gtest/gtest.h>

namespace gemma3n::server {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=XX";

// A body of one field with these headers.
std::string Body(const std::string& headers, const std::string& content) {
  return "--XX\r\n" + headers + "\r\n\r\n" + content + "\r\n--XX--\r\n";
}

FormField Only(const std::string& headers) {
  const std::string body = Body(headers, "");
  auto fields = ParseMultipart(kType, body);
  EXPECT_TRUE(fields.ok()) << fields.status().message();
  return fields.ok() && fields->size() == 1 ? fields->front() : FormField();
}

std::string ErrorOf(const std::string& type, const std::string& body) {
  const auto fields = ParseMultipart(type, body);
  EXPECT_FALSE(fields.ok()) << body;
  EXPECT_EQ(fields.status().code(), StatusCode::kInvalidArgument);
  return fields.status().message();
}

TEST(Multipart, FieldsAndFiles) {
  const std::string body =
      "--XX\r\n"
      "Content-Disposition: form-data; name=\"model\"\r\n\r\n"
      "tiny\r\n"
      "--XX\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"a b.wav\"\r\n"
      "Content-Type: audio/wav\r\n\r\n"
      "RIFF\r\n--X\r\n\r\n"
      "\r\n--XX\r\n"
      "content-disposition:form-data;name=empty\r\n\r\n"
      "\r\n--XX--";
  const auto fields = ParseMultipart("Multipart/Form-Data; charset=utf-8; boundary=\"XX\"", body);
  ASSERT_TRUE(fields.ok()) << fields.status().message();
  ASSERT_EQ(fields->size(), 3u);
  EXPECT_EQ((*fields)[0].name, "model");
  EXPECT_EQ((*fields)[0].content, "tiny");
  EXPECT_EQ((*fields)[1].name, "file");
  EXPECT_EQ((*fields)[1].filename, "a b.wav");
  EXPECT_EQ((*fields)[1].content, "RIFF\r\n--X\r\n\r\n");
  EXPECT_EQ((*fields)[2].name, "empty");
  EXPECT_EQ((*fields)[2].content, "");
}

TEST(Multipart, AnyBytesInAFile) {
  const std::string content("\0\xff\r\n--X\r\n--\r\n\r\n\n", 17);
  const std::string body = Body("Content-Disposition: form-data; name=\"f\"", content);
  const auto fields = ParseMultipart(kType, body);
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ((*fields)[0].content, content);
}

TEST(Multipart, WhatStandsAroundIsSkipped) {
  const std::string body =
      "preamble\r\n" + Body("Content-Disposition: form-data; name=a", "1") + "epilogue --XX\r\n";
  const auto fields = ParseMultipart(kType, body);
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->size(), 1u);
  EXPECT_EQ(ParseMultipart(kType, "--XX--")->size(), 0u);
}

TEST(Multipart, QuotedNames) {
  EXPECT_EQ(Only("Content-Disposition: form-data; name=\"a;\\\"b\\\\\"").name, "a;\"b\\");
  EXPECT_EQ(Only("Content-Disposition: form-data; name=f; filename=\"C:\\dir\\x.wav\"").filename,
            "C:\\dir\\x.wav");
  EXPECT_EQ(Only("Content-Disposition: form-data; filename=\"name=x\"; NAME = y ").name, "y");
}

TEST(Multipart, MalformedBodies) {
  const std::string header = "Content-Disposition: form-data; name=\"a\"";
  EXPECT_NE(ErrorOf("application/json", "{}").find("application/json"), std::string::npos);
  ErrorOf("", "");
  ErrorOf("multipart/form-data", Body(header, "1"));
  ErrorOf("multipart/form-data; boundary=", Body(header, "1"));
  ErrorOf("multipart/form-data; boundary=\"XX", Body(header, "1"));
  ErrorOf("multipart/form-data; boundary=" + std::string(71, 'X'), Body(header, "1"));
  ErrorOf(kType, "");
  ErrorOf(kType, "--XY\r\n\r\n");
  ErrorOf(kType, "--XX");
  ErrorOf(kType, "--XX\r\n");
  ErrorOf(kType, "--XXrubbish\r\n" + header + "\r\n\r\n\r\n--XX--");
  ErrorOf(kType, "--XX\r\n" + header + "\r\n\r\nnever ends");
  ErrorOf(kType, "--XX\r\n" + header + "\r\n\r\nends\r\n--XX");
  ErrorOf(kType, Body("Content-Type: text/plain", "no name"));
  ErrorOf(kType, Body("Content-Disposition: form-data; name=\"\"", "no name"));
  ErrorOf(kType, Body("Content-Disposition: form-data; name=\"a", "no quote"));
  ErrorOf(kType, Body(header + "\r\nno colon", ""));
}

TEST(Multipart, Limits) {
  const std::string header = "Content-Disposition: form-data; name=\"a\"";
  EXPECT_NE(
      ErrorOf(kType, Body(header + "; x=\"" + std::string(8192, 'x') + "\"", "")).find("8192"),
      std::string::npos);
  std::string body;
  for (int i = 0; i < 64; ++i) body += "--XX\r\n" + header + "\r\n\r\n1\r\n";
  EXPECT_EQ(ParseMultipart(kType, body + "--XX--")->size(), 64u);
  EXPECT_NE(ErrorOf(kType, body + "--XX\r\n" + header + "\r\n\r\n1\r\n--XX--").find("64 fields"),
            std::string::npos);
}

}  // namespace
}  // namespace gemma3n::server
