// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include "wire/parse.h"

namespace tern::net {

/// What an ICMP error message says of a TCP segment that this host may have sent. Nothing in it is
/// to be trusted: anybody can send one (RFC 5927).
struct IcmpError {
  enum class Kind : std::uint8_t {
    kHard,    ///< no such protocol or port there, or forbidden (RFC 1122 4.2.3.9)
    kSoft,    ///< no way there at present; a header that somebody did not like; a loop
    kTooBig,  ///< it did not fit, and must not be fragmented (RFC 1191)
  };
  Kind kind = Kind::kSoft;
  std::uint8_t type = 0, code = 0;            ///< as in the message
  std::uint32_t source = 0, destination = 0;  ///< of the segment, host order
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t seq = 0;
  std::uint16_t mtu = 0;  ///< kTooBig: what fits, by the message or by RFC 1191 7.1's table
};

/// Reads an error message about a TCP segment out of a kIcmp4 frame; nothing if it is another
/// message or quotes too little. Source quench and redirects are none (RFC 6633, RFC 5927).
std::optional<IcmpError> parse_icmp_error(const wire::ParsedFrame& frame);

}  // namespace tern::net
