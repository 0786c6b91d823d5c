// SPDX-License-Identifier: BSD-3-Clause
#include "net/arp_sender.h"

#include "wire/ethernet.h"

namespace tern::net {

ArpSender::ArpSender(std::uint32_t address, Egress& egress, Counters& counters)
    : address_(address), egress_(egress), counters_(counters) {}

Asked ArpSender::request(std::uint32_t target, const MacAddress& to) {
  // Who is asked for by broadcast is not known: the field is then of no meaning (RFC 826), zero.
  const MacAddress target_mac = to == MacAddress::broadcast() ? MacAddress{} : to;
  if (!send({wire::ArpOperation::kRequest, own_mac(), address_, target_mac, target}, to))
    return Asked::kNoFrame;
  ++counters_.arp_requests_out;
  return Asked::kSent;
}

void ArpSender::reply(std::uint32_t target, const MacAddress& to) {
  if (send({wire::ArpOperation::kReply, own_mac(), address_, to, target}, to))
    ++counters_.arp_replies_out;
}

void ArpSender::announce() { request(address_); }

bool ArpSender::send(const wire::ArpPacket& packet, const MacAddress& to) {
  Frame frame;
  if (!egress_.allocate(frame)) return false;
  wire::write_ethernet(frame.data, {to, own_mac(), wire::ether_type::kArp});
  wire::write_arp(frame.data + wire::kEthernetHeaderBytes, packet);
  frame.length = wire::kEthernetHeaderBytes + wire::kArpBytes;
  egress_.send(frame);
  return true;
}

}  // namespace tern::net
