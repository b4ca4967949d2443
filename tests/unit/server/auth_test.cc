#include "server/http/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemma3n::server {
namespace {

using ::testing::HasSubstr;

HttpRequest With(const std::string& name, const std::string& value) {
  HttpRequest request;
  request.headers[name] = value;
  return request;
}

TEST(ApiKeysTest, ReadsNamesKeysAndComments) {
  const auto keys = ApiKeys::Parse("# all\r\nann: secret-one\r\n\n  secret-two  \n", "keys");
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_EQ(keys->Find(With("authorization", "Bearer secret-one")), "ann");
  EXPECT_EQ(keys->Find(With("authorization", "BEARER  secret-one ")), "ann");
  EXPECT_EQ(keys->Find(With("x-api-key", "secret-two")), "key2");
}

TEST(ApiKeysTest, OnlyTheWholeKeyOpens) {
  const auto keys = ApiKeys::Parse("secretsecret", "keys");
  ASSERT_TRUE(keys.ok());
  for (const char* wrong : {"", "secret", "secretsecre", "secretsecretsecret", "secretsecretx",
                            "Secretsecret", "ecretsecrets"}) {
    EXPECT_EQ(keys->Find(With("x-api-key", wrong)), std::nullopt) << wrong;
    EXPECT_EQ(keys->Find(With("authorization", std::string("Bearer ") + wrong)), std::nullopt);
  }
  EXPECT_EQ(keys->Find(With("authorization", "Basic secretsecret")), std::nullopt);
  EXPECT_EQ(keys->Find(HttpRequest()), std::nullopt);
  EXPECT_NE(keys->Find(With("x-api-key", "secretsecret")), std::nullopt);
}

TEST(ApiKeysTest, RefusesFilesThatWouldNotGuard) {
  const auto message = [](std::string_view text) {
    return ApiKeys::Parse(text, "keys").status().message();
  };
  EXPECT_THAT(message(""), HasSubstr("found none"));
  EXPECT_THAT(message("# only\n\n"), HasSubstr("found none"));
  EXPECT_THAT(message("\nshort"), HasSubstr("line 2"));
  EXPECT_THAT(message("two words here"), HasSubstr("line 1"));
  EXPECT_THAT(message(": secretsecret"), HasSubstr("line 1"));
  EXPECT_THAT(message("a: secretsecret\nb: secretsecret"), HasSubstr("line 2"));
  EXPECT_THAT(message(std::string(600, 'x')), HasSubstr("line 1"));
  EXPECT_EQ(ApiKeys::Load("/no/such/file").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace gemma3n::server
