#include "server/http/listener.h"

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/connection.h"

namespace gemma3n::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kOtherFiles = 128;  // the model's, media's, remote fetches'
constexpr std::chrono::milliseconds kPauseWithoutFiles{100};

std::string PeerName(const asio::ip::tcp::endpoint& endpoint) {
  return endpoint.address().to_string();
}
std::string PeerName(const asio::local::stream_protocol::endpoint&) { return "unix"; }

// So that what a slow reader leaves behind waits with us, where it is counted, and not in the
// system's buffers.
void TuneSocket(asio::ip::tcp::socket& socket) {
  error_code ec;
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  socket.set_option(asio::socket_base::keep_alive(true), ec);
  const int unsent = 128 << 10;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}
void TuneSocket(asio::local::stream_protocol::socket&) {}

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpOptions& o, const Gate& gate, Metrics& m)
      : options(o),
        metrics(m),
        workers(o.workers, static_cast<size_t>(o.max_queued)),
        context{options, gate, workers, metrics},
        io(o.io_threads),
        retry(io),
        work(asio::make_work_guard(io)) {}

  template <typename Protocol>
  Status Listen(std::optional<asio::basic_socket_acceptor<Protocol>>& acceptor,
                const typename Protocol::endpoint& endpoint, const std::string& name);
  template <typename Protocol>
  void Accept(asio::basic_socket_acceptor<Protocol>& acceptor);
  Status ListenTcp();
  Status ListenUnix();
  template <typename Socket>
  void Take(Socket socket, std::string peer);

  const HttpOptions options;
  Metrics& metrics;
  WorkerPool workers;
  ConnectionContext context;
  asio::io_context io;
  std::optional<asio::ip::tcp::acceptor> tcp;
  std::optional<asio::local::stream_protocol::acceptor> local;
  asio::steady_timer retry;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::vector<std::thread> threads;
  std::string address;
};

template <typename Protocol>
Status HttpServer::Impl::Listen(std::optional<asio::basic_socket_acceptor<Protocol>>& acceptor,
                                const typename Protocol::endpoint& endpoint,
                                const std::string& name) {
  acceptor.emplace(io);
  error_code ec;
  acceptor->open(endpoint.protocol(), ec);
  if (!ec) acceptor->set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor->bind(endpoint, ec);
  if (!ec) acceptor->listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::address_in_use) {
    return Error(StatusCode::kIo, "{} is taken: another server listens there", name);
  }
  if (ec) return Error(StatusCode::kIo, "cannot listen on {} ({})", name, ec.message());
  return OkStatus();
}

Status HttpServer::Impl::ListenTcp() {
  error_code ec;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      asio::ip::tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return Error(StatusCode::kInvalidArgument, "--host: \"{}\" has no address ({})", options.host,
                 ec.message());
  }
  const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  const auto named = [](const asio::ip::tcp::endpoint& e) {
    const std::string text = e.address().to_string();
    return e.address().is_v6() ? fmt::format("[{}]:{}", text, e.port())
                               : fmt::format("{}:{}", text, e.port());
  };
  G3N_RETURN_IF_ERROR(Listen(tcp, endpoint, named(endpoint)));
  address = "http://" + named(tcp->local_endpoint(ec));
  Accept(*tcp);
  return OkStatus();
}

Status HttpServer::Impl::ListenUnix() {
  const std::string& path = options.unix_socket;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(StatusCode::kInvalidArgument, "--unix-socket: expected at most {} bytes, found {}",
                 sizeof(sockaddr_un::sun_path) - 1, path.size());
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
    asio::local::stream_protocol::socket probe(io);
    error_code ec;
    probe.connect(endpoint, ec);
    if (ec == asio::error::connection_refused)
      ::unlink(path.c_str());  // left by a server that died
  }
  G3N_RETURN_IF_ERROR(Listen(local, endpoint, path));
  ::chmod(path.c_str(), 0660);
  address = "unix:" + path;
  Accept(*local);
  return OkStatus();
}

template <typename Socket>
void HttpServer::Impl::Take(Socket socket, std::string peer) {
  if (metrics.connections >= options.max_connections) {
    ++metrics.connections_refused;
    const std::string body = ErrorBody(ErrorStyle::kOpenAi, 503, "too many connections");
    const ResponseHead head{503, "application/json", static_cast<int64_t>(body.size()), false,
                            true};
    const std::string text = HeadText(head, {{"retry-after", "1"}}, {}) + body;
    error_code ec;
    socket.non_blocking(true, ec);
    socket.write_some(asio::buffer(text), ec);  // fits into the buffer of a new socket, or not
    socket.shutdown(Socket::shutdown_send, ec);
    return;
  }
  TuneSocket(socket);
  auto connection =
      std::make_shared<Connection>(Connection::Socket(std::move(socket)), std::move(peer), context);
  asio::post(connection->executor(), [connection] { connection->Start(); });
}

template <typename Protocol>
void HttpServer::Impl::Accept(asio::basic_socket_acceptor<Protocol>& acceptor) {
  const asio::any_io_executor strand = asio::make_strand(io);
  acceptor.async_accept(strand,
                        [this, &acceptor](const error_code& ec, typename Protocol::socket socket) {
                          if (ec == asio::error::operation_aborted || !acceptor.is_open()) return;
                          if (!ec) {
                            error_code gone;
                            const auto peer = socket.remote_endpoint(gone);
                            if (!gone) Take(std::move(socket), PeerName(peer));
                            return Accept(acceptor);
                          }
                          // No files or no memory: others will close theirs.
                          retry.expires_after(kPauseWithoutFiles);
                          retry.async_wait([this, &acceptor](const error_code& stopped) {
                            if (!stopped && acceptor.is_open()) Accept(acceptor);
                          });
                        });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  StopWorkers();
  impl_->work.reset();
  impl_->io.stop();
  for (std::thread& thread : impl_->threads) thread.join();
  if (impl_->local) ::unlink(impl_->options.unix_socket.c_str());
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpOptions& options, const Gate& gate,
                                                      Metrics& metrics) {
  auto impl = std::make_unique<Impl>(options, gate, metrics);
  G3N_RETURN_IF_ERROR(options.unix_socket.empty() ? impl->ListenTcp() : impl->ListenUnix());
  for (int i = 0; i < options.io_threads; ++i) {
    impl->threads.emplace_back([&io = impl->io] { io.run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

const std::string& HttpServer::address() const { return impl_->address; }

void HttpServer::StopListening() {
  std::promise<void> done;
  asio::post(impl_->io, [&] {
    error_code ec;
    impl_->retry.cancel();
    if (impl_->tcp) impl_->tcp->close(ec);
    if (impl_->local) impl_->local->close(ec);
    done.set_value();
  });
  done.get_future().wait();
}

void HttpServer::StopWorkers() { impl_->workers.Stop(); }

bool ListensOnLoopback(const HttpOptions& options) {
  if (!options.unix_socket.empty() || options.host == "localhost") return true;
  error_code ec;
  const auto address = asio::ip::make_address(options.host, ec);
  return !ec && address.is_loopback();
}

int64_t MakeRoomForConnections(int64_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections;
  const auto wanted = static_cast<rlim_t>(connections + kOtherFiles);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return std::clamp<int64_t>(static_cast<int64_t>(limit.rlim_cur) - kOtherFiles, 1, connections);
}

}  // namespace gemma3n::server
