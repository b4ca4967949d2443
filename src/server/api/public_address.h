// Whether an address is one of the public internet: a server that fetches what strangers name must
// not be made to reach its own network for them.
#pragma once

#include <sys/socket.h>

namespace gemma3n::server {

// False for loopback, private, link-local, shared (100.64/10), multicast, documentation and
// reserved ranges (IANA's special-purpose registries), for IPv6 addresses that stand for IPv4 ones
// (mapped, NAT64, 6to4, Teredo), and for every family but IPv4 and IPv6.
bool IsPublicAddress(const sockaddr& address);

}  // namespace gemma3n::server
