// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "flow/address_book.h"
#include "net/icmp_error.h"
#include "wire/icmpv6.h"

namespace tern::net {

/// Reads an ICMPv6 error message about a TCP segment out of `packet`; nothing if it is another
/// message, quotes too little, or announces an MTU below IPv6's least (RFC 8201 4). Its addresses
/// are handles of `book`: kStranger for a destination that is not in it. Hard are what says that
/// there will be no way: prohibited, port, policy, rejected, no such next header (RFC 5461 2, as
/// Linux has it); all else is soft.
std::optional<IcmpError> parse_icmp6_error(const wire::Icmpv6Packet& packet,
                                           flow::AddressBook& book);

}  // namespace tern::net
