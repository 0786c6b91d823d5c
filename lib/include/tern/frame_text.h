// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "tern/address.h"

namespace tern {

/// One line of text about an Ethernet frame, as `tcpdump -n -S` prints it (absolute sequence
/// numbers), without the time. For any bytes: reads nothing outside `frame`, and says where a
/// header is cut off. TCP over IPv4 and IPv6, ICMP echo, ARP and
/// neighbour solicitations in detail; of the rest only the kind and
/// length.
std::string format_frame(std::span<const std::byte> frame);

/// As `tcpdump -n` prints it: sequence numbers relative to the first ones seen of a connection.
/// Keeps state for each connection, of a bounded number: after that it begins anew.
class RelativeFormatter {
 public:
  std::string operator()(std::span<const std::byte> frame);

 private:
  friend class FrameText;
  struct FlowKey {
    IpAddress low_address, high_address;
    std::uint16_t low_port, high_port;
    friend auto operator<=>(const FlowKey&, const FlowKey&) = default;
  };
  struct FlowStart {
    std::uint32_t low_seq, high_seq;  // of the end with the lower address, of the other one
  };
  std::map<FlowKey, FlowStart> flows_;
};

}  // namespace tern
