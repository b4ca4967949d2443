#include "server/http/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <cctype>
#include <new>
#include <utility>

#include "server/http/target.h"

namespace gemma3n::server {
namespace {

namespace http = boost::beast::http;

// A body as one string. Memory follows what has arrived, not what was announced.
struct BodyText {
  using value_type = std::string;
  static uint64_t size(const value_type& body) { return body.size(); }

  class reader {
   public:
    template <bool kRequest, class Fields>
    reader(http::header<kRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<uint64_t>& length, boost::system::error_code& ec) {
      announced_ = length ? static_cast<size_t>(*length) : 0;
      ec = {};
    }
    template <class Buffers>
    size_t put(const Buffers& buffers, boost::system::error_code& ec) {
      ec = {};
      size_t taken = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        const boost::asio::const_buffer piece = *it;
        body_.append(static_cast<const char*>(piece.data()), piece.size());
        taken += piece.size();
      }
      if (body_.size() >= kBelieved && body_.capacity() < announced_) body_.reserve(announced_);
      return taken;
    }
    void finish(boost::system::error_code& ec) { ec = {}; }

   private:
    static constexpr size_t kBelieved = 1 << 20;  // who sent so much will send the rest
    value_type& body_;
    size_t announced_ = 0;
  };
};

// Sizes of chunks and what may follow the last one, with their line ends.
constexpr size_t kLongestChunkHeader = 8 << 10;

std::string Text(boost::beast::string_view view) { return std::string(view.data(), view.size()); }

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

int StatusOf(http::error code) {
  switch (code) {
    case http::error::header_limit:
      return 431;
    case http::error::body_limit:
      return 413;
    case http::error::bad_version:
      return 505;
    default:
      return 400;
  }
}

}  // namespace

struct RequestReader::Parser : http::request_parser<BodyText> {};

RequestReader::RequestReader(const ReadLimits& limits)
    : limits_(limits), parser_(std::make_unique<Parser>()) {
  parser_->header_limit(static_cast<uint32_t>(limits.header_bytes));
  parser_->body_limit(static_cast<uint64_t>(limits.body_bytes));
}

RequestReader::~RequestReader() = default;

bool RequestReader::expects_continue() const {
  return Lower(std::string(request_.Header("expect"))) == "100-continue";
}
bool RequestReader::http10() const { return parser_->get().version() == 10; }
bool RequestReader::keep_alive() const { return parser_->keep_alive(); }
bool RequestReader::has_body() const { return !parser_->is_done(); }
int64_t RequestReader::body_bytes() const {
  return static_cast<int64_t>(parser_->get().body().size() + request_.body.size());
}

RequestReader::Event RequestReader::Fail(int status, std::string message) {
  error_ = {status, std::move(message)};
  return Event::kFailed;
}

RequestReader::Event RequestReader::Explain(const std::string& what, int code) {
  switch (code) {
    case 431:
      return Fail(code, fmt::format("expected a header of at most {} bytes", limits_.header_bytes));
    case 413:
      return Fail(code, fmt::format("expected a body of at most {} bytes", limits_.body_bytes));
    case 505:
      return Fail(code, "expected HTTP/1.1 or HTTP/1.0");
    default:
      return Fail(code, fmt::format("the request is not HTTP: {}", what));
  }
}

RequestReader::Event RequestReader::Feed(std::string_view bytes, size_t& used) {
  used = 0;
  if (header_ && parser_->is_done()) return Finish();
  started_ = started_ || !bytes.empty();
  parser_->eager(header_);
  while (used < bytes.size()) {
    boost::system::error_code ec;
    try {
      used += parser_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
    } catch (const std::bad_alloc&) {
      return Fail(503, "there is no memory for the request's body");
    }
    if (ec == http::error::need_more) break;
    if (ec) {
      (void)NameRequest();  // as far as it is known: errors take its API's form
      return Explain(ec.message(), StatusOf(static_cast<http::error>(ec.value())));
    }
    if (!header_ && parser_->is_header_done()) return FinishHeader();
    if (header_ && parser_->is_done()) return Finish();
  }
  if (header_ && bytes.size() - used > kLongestChunkHeader) {
    return Fail(400, "the request is not HTTP: a chunk's header is too long");
  }
  return Event::kMore;
}

Status RequestReader::NameRequest() {
  const auto& message = parser_->get();
  request_.method = Text(message.method_string());
  G3N_ASSIGN_OR_RETURN(Target target, ParseTarget(Text(message.target())));
  request_.path = std::move(target.path);
  request_.query = std::move(target.query);
  return OkStatus();
}

RequestReader::Event RequestReader::Finish() {
  request_.body = std::move(parser_->get().body());
  return Event::kDone;
}

RequestReader::Event RequestReader::FinishHeader() {
  header_ = true;
  for (const auto& field : parser_->get()) {
    const auto [it, fresh] =
        request_.headers.emplace(Lower(Text(field.name_string())), Text(field.value()));
    if (fresh) continue;
    if (it->first == "host" || it->first == "content-length") {
      return Fail(400, fmt::format("expected one {} header, found several", it->first));
    }
    it->second.append(", ").append(Text(field.value()));
  }
  if (!http10() && request_.Header("host").empty()) return Fail(400, "expected a Host header");
  const std::string_view coding = request_.Header("transfer-encoding");
  if (!coding.empty() && (http10() || Lower(std::string(coding)) != "chunked")) {
    return Fail(501,
                fmt::format("expected Transfer-Encoding: chunked or none, found \"{}\"", coding));
  }
  const Status named = NameRequest();
  if (!named.ok()) return Fail(400, named.message());
  const std::string_view expect = request_.Header("expect");
  if (!expect.empty() && !expects_continue()) {
    return Fail(417,
                fmt::format("expected \"Expect: 100-continue\" or none, found \"{}\"", expect));
  }
  return Event::kHeader;
}

}  // namespace gemma3n::server
