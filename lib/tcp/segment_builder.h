// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// One segment to be built: what differs from the last one.
struct SegmentSpec {
  SeqNum seq;
  std::uint8_t flags = 0;
  std::uint32_t queue_offset = 0;  // payload = [queue_offset, +length) of the send queue
  std::uint32_t length = 0;
};

/// Builds a segment of the connection in a fresh frame and stages it. ACK, window and timestamp are
/// taken from the TCB; what the segment acknowledges is no longer owed. False: no frame.
bool send_segment(Engine& e, Tcb& c, const SegmentSpec& spec);

/// Bytes of payload that a large segment of the connection may have now, which the device cuts; 0 =
/// none may be sent.
std::uint32_t large_segment_room(const Engine& e, const Tcb& c);

/// Like send_segment() for several full segments at once, an ACK on each: spec.length is a multiple
/// of snd_mss and at most large_segment_room(). The device sets PSH and FIN on the last one only.
/// False: no frame for it, or not now; single segments may go all the same.
bool send_large_segment(Engine& e, Tcb& c, const SegmentSpec& spec);

/// Of every segment of the connection from now on (RFC 9293 3.9.2: MUST-49, SHLD-22): IPv4's time
/// to live or IPv6's hop limit.
void set_ttl(const Engine& e, Tcb& c, std::uint8_t ttl);
void set_dscp(const Engine& e, Tcb& c, std::uint8_t dscp);

/// The sequence number of a segment without text: one that the peer will find acceptable
/// (RFC 9293 3.10.7.4), i.e. the highest sent, but inside the peer's window.
SeqNum ack_sequence(const Tcb& c);

/// Writes the IP header of a segment that no TCB sends, behind the place of the Ethernet header at
/// `frame`; returns where TCP's begins. The length, and IPv4's checksum, are still to come.
std::size_t write_ip_header(const Engine& e, const flow::FourTuple4& tuple, std::byte* frame);

/// Completes such a frame, which carries `tcp_bytes` bytes of TCP: the lengths and the checksums,
/// computed or left to the device. The TCP checksum field must be 0.
void finish_frame(const Engine& e, Frame& frame, const flow::FourTuple4& tuple,
                  std::uint32_t tcp_bytes);

}  // namespace tern::tcp
