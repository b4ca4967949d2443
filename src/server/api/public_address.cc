#include "server/api/public_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>

namespace gemma3n::server {
namespace {

template <size_t kBytes>
struct Range {
  std::array<uint8_t, kBytes> address;
  int bits;  // of the prefix
};

using Range4 = Range<4>;
using Range6 = Range<16>;

// https://www.iana.org/assignments/iana-ipv4-special-registry and multicast.
constexpr Range4 kSpecial4[] = {
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // shared, behind carriers' translators
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local; clouds' metadata
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 88, 99}, 24},   // 6to4 relays
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, broadcast
};

// Global unicast is 2000::/3; what IANA took out of it for special purposes.
constexpr Range6 kUnicast6 = {{0x20}, 3};
constexpr Range6 kSpecial6[] = {
    {{0x20, 0x01}, 23},              // protocol assignments: Teredo, ORCHID, benchmarks
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4: an IPv4 address inside
    {{0x3f, 0xff}, 20},              // documentation
};

template <size_t kBytes>
bool Contains(const Range<kBytes>& range, std::span<const uint8_t, kBytes> address) {
  const auto whole = static_cast<size_t>(range.bits / 8);
  if (!std::equal(range.address.begin(), range.address.begin() + whole, address.begin())) {
    return false;
  }
  if (range.bits % 8 == 0) return true;
  return (range.address[whole] ^ address[whole]) >> (8 - range.bits % 8) == 0;
}

template <size_t kBytes, size_t kRanges>
bool IsSpecial(const Range<kBytes> (&ranges)[kRanges], std::span<const uint8_t, kBytes> address) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range<kBytes>& range) { return Contains(range, address); });
}

}  // namespace

bool IsPublicAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return !IsSpecial(kSpecial4, std::span<const uint8_t, 4>(bytes));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    const std::span<const uint8_t, 16> view(bytes);
    return Contains(kUnicast6, view) && !IsSpecial(kSpecial6, view);
  }
  return false;
}

}  // namespace gemma3n::server
