// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstring>

#include "tcp/engine.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace tern::tcp {

/// Writes a header in words of 32 bits, and adds them up on the way: a sum over memory would have
/// to wait for what has just been stored there.
class HeaderWords {
 public:
  explicit HeaderWords(std::byte* at) : at_(at) {}

  /// A word in host order.
  [[gnu::always_inline]] void put(std::uint32_t word) { put_raw(__builtin_bswap32(word)); }
  [[gnu::always_inline]] void put(const Ipv6Address& address) {
    std::array<std::uint32_t, 4> words;
    static_assert(sizeof words == sizeof address);
    std::memcpy(words.data(), address.octets().data(), sizeof words);
    for (const std::uint32_t word : words) put_raw(word);
  }

  /// Partial, as wire/checksum.h has it, in 64 bits.
  std::uint64_t sum() const { return sum_; }

 private:
  // 64 bits wide, since a swap leaves zeros there, which the compiler would make again.
  [[gnu::always_inline]] void put_raw(std::uint64_t word) {
    std::memcpy(at_, &word, sizeof(std::uint32_t));
    at_ += sizeof(std::uint32_t);
    sum_ += word;
  }

  std::byte* at_;
  std::uint64_t sum_ = 0;
};

/// The checksum to store, of a partial sum in 64 bits.
constexpr std::uint16_t finish_sum(std::uint64_t sum) {
  return wire::checksum_finish(wire::checksum_internal::fold_to_32(sum));
}

/// What the two families differ in: where TCP begins, and the IP header. `ecn` is the ECN field
/// (RFC 3168 5), `frame` where the frame begins. write() returns the sum of the pseudo-header (RFC
/// 9293 3.1) without its length.
struct V4 {
  static constexpr std::size_t kTcpOffset = wire::kEthernetHeaderBytes + wire::kIpv4HeaderBytes;
  static constexpr std::uint16_t kEtherType = wire::ether_type::kIpv4;

  [[gnu::always_inline]] static std::uint64_t write(const Engine& e, const Tcb& c, std::uint8_t ecn,
                                                    std::uint32_t tcp_bytes, std::byte* frame) {
    constexpr std::uint32_t kDontFragment = 0x4000;  // and 0 as the identification (RFC 6864 4.1)
    constexpr std::uint32_t kTcp = wire::ip_protocol::kTcp;
    const std::uint32_t bytes = std::uint32_t{wire::kIpv4HeaderBytes} + tcp_bytes;
    HeaderWords ip(frame + wire::kEthernetHeaderBytes);
    ip.put(c.headers.first_word + (std::uint32_t{ecn} << 16) + bytes);
    ip.put(kDontFragment);
    ip.put(std::uint32_t{c.headers.ttl} << 24 | kTcp << 16);
    const std::uint64_t before = ip.sum();
    ip.put(c.tuple.local_address);
    ip.put(c.tuple.remote_address);
    if (!e.offload_ip_checksum)
      wire::store_checksum(frame + wire::kEthernetHeaderBytes + wire::kIpv4ChecksumOffset,
                           finish_sum(ip.sum()));
    return ip.sum() - before + __builtin_bswap16(kTcp);
  }
  static std::uint64_t offloads(const Engine& e) { return e.offloads4; }
};

struct V6 {
  static constexpr std::size_t kTcpOffset = wire::kEthernetHeaderBytes + wire::kIpv6HeaderBytes;
  static constexpr std::uint16_t kEtherType = wire::ether_type::kIpv6;

  static std::uint64_t write(const Engine& e, const Tcb& c, std::uint8_t ecn,
                             std::uint32_t tcp_bytes, std::byte* frame) {
    constexpr std::uint32_t kTcp = wire::ip_protocol::kTcp;
    HeaderWords ip(frame + wire::kEthernetHeaderBytes);
    ip.put(c.headers.first_word + (std::uint32_t{ecn} << 20));
    ip.put(tcp_bytes << 16 | kTcp << 8 | c.headers.ttl);
    const std::uint64_t before = ip.sum();
    ip.put(e.book.address(c.tuple.local_address));
    ip.put(e.book.address(c.tuple.remote_address));
    return ip.sum() - before + __builtin_bswap16(kTcp);
  }
  static std::uint64_t offloads(const Engine& e) { return e.offloads6; }
};

/// The link header, to the next hop that the connection has remembered. Own address and EtherType
/// are 8 bytes, and so are the next hop's address and what lies behind it in the TCB.
[[gnu::always_inline]] inline void write_link_header(const Engine& e, const Tcb& c,
                                                     std::uint16_t ether_type, std::byte* frame) {
  const std::uint64_t tail = e.link_tail + (std::uint64_t{__builtin_bswap16(ether_type)}
                                            << (8 * sizeof c.headers.next_hop));
  std::memcpy(frame, &c.headers, sizeof tail);
  std::memcpy(frame + sizeof c.headers.next_hop, &tail, sizeof tail);
}

}  // namespace tern::tcp
