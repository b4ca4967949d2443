// An Exchange over a connection: every call is handed to the connection's own executor.
#pragma once

#include <cstdint>
#include <memory>

#include "server/http/exchange.h"

namespace gemma3n::server {

class Connection;

std::shared_ptr<Exchange> MakeSocketExchange(std::shared_ptr<Connection> connection, uint64_t id,
                                             HttpRequest request);

}  // namespace gemma3n::server
