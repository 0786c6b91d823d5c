// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <span>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace tern::wire {

inline constexpr std::size_t kIcmpHeaderBytes = 8;
inline constexpr std::size_t kIcmpChecksumOffset = 2;

/// RFC 792.
namespace icmp_type {
inline constexpr std::uint8_t kEchoReply = 0, kDestinationUnreachable = 3, kSourceQuench = 4,
                              kRedirect = 5, kEchoRequest = 8, kTimeExceeded = 11,
                              kParameterProblem = 12;
}

/// Codes of kDestinationUnreachable.
namespace icmp_code {
inline constexpr std::uint8_t kNet = 0, kHost = 1, kProtocol = 2, kPort = 3,
                              kFragmentationNeeded = 4, kSourceRouteFailed = 5;
}

/// Bytes that claim to be an ICMP message, its first 8.
class IcmpView {
 public:
  explicit IcmpView(std::span<const std::byte, kIcmpHeaderBytes> bytes) : p_(bytes.data()) {}

  std::uint8_t type() const { return load_u8(p_); }
  std::uint8_t code() const { return load_u8(p_ + 1); }
  std::uint32_t rest() const { return load_be32(p_ + 4); }

 private:
  const std::byte* p_;
};

/// The header of a message whose length and checksum are right.
struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest = 0;  // by type: id << 16 | sequence (echo), next-hop MTU (3/4), or unused

  std::uint16_t echo_id() const { return static_cast<std::uint16_t>(rest >> 16); }
  std::uint16_t echo_sequence() const { return static_cast<std::uint16_t>(rest); }
  std::uint16_t next_hop_mtu() const { return static_cast<std::uint16_t>(rest); }  // RFC 1191 4
  friend bool operator==(const IcmpHeader&, const IcmpHeader&) = default;
};

/// Nothing if `message` (the whole IP payload) is under 8 bytes or its checksum is wrong.
inline std::optional<IcmpHeader> parse_icmp(std::span<const std::byte> message) {
  if (message.size() < kIcmpHeaderBytes) return std::nullopt;
  if (!checksum_is_valid(checksum_partial(message))) return std::nullopt;
  const IcmpView view(message.first<kIcmpHeaderBytes>());
  return IcmpHeader{view.type(), view.code(), view.rest()};
}

/// Writes the header over the first 8 bytes of `message` (size >= 8), whose body is in place, and
/// the checksum of the whole.
inline void write_icmp(std::span<std::byte> message, const IcmpHeader& header) {
  store_u8(message.data(), header.type);
  store_u8(message.data() + 1, header.code);
  store_checksum(message.data() + kIcmpChecksumOffset, 0);
  store_be32(message.data() + 4, header.rest);
  store_checksum(message.data() + kIcmpChecksumOffset, checksum_finish(checksum_partial(message)));
}

}  // namespace tern::wire
