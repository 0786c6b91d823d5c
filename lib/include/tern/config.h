// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tern/address.h"
#include "tern/time.h"

namespace tern {

using namespace std::chrono_literals;

/// When a SYN is answered with a SYN cookie (RFC 4987 3.6), which keeps nothing here but cannot
/// carry every option.
enum class SynCookieMode : std::uint8_t {
  kAuto,    ///< when the SYN cache or the listener's backlog is full
  kAlways,  ///< to every SYN
  kOff,     ///< SYNs beyond the backlog are dropped
};

/// How a sender's window grows and shrinks.
enum class CongestionAlgorithm : std::uint8_t {
  kNewReno,  ///< RFC 5681, 6582
  kCubic,    ///< RFC 9438, with HyStart++ (RFC 9406); as Linux's default
};
/// As ss calls it: "reno", "cubic".
std::string_view to_string(CongestionAlgorithm algorithm);

/// Explicit congestion notification (RFC 3168): marks instead of losses.
enum class EcnMode : std::uint8_t {
  kOff,     ///< never
  kAccept,  ///< where the peer's SYN asks for it, as Linux's default
  kAsk,     ///< our SYNs ask for it too
};

/// What TCP does, for every connection of a stack. Durations are exact to TimerWheel's tick, 100
/// us.
struct TcpConfig {
  Duration msl = 30s;  ///< TIME-WAIT lasts twice this (RFC 9293 3.4.2 says 2 min; Linux uses 30 s)
  Duration initial_rto = 1s;  ///< RFC 6298 2.1
  Duration min_rto = 200ms;   ///< RFC 6298 says 1 s; 200 ms as Linux and FreeBSD do
  Duration max_rto = 60s;     ///< RFC 6298 2.5: at least 60 s
  unsigned advise_after = 3;  ///< R1: unanswered retransmissions until on_stalled (SHLD-10: >= 3);
                              ///< 0 = never
  unsigned max_retransmits =
      15;                    ///< R2: unanswered retransmissions of one segment before giving up
  Duration user_timeout{0};  ///< RFC 5482's local value: unacknowledged for so long, data ends the
                             ///< connection; 0 = R2 alone decides. Per connection: set_user_timeout
  /// RFC 5482's option: ours is told where there is one, and the peer's adopted within the bounds
  /// below where the application has set none itself.
  bool user_timeout_option = false;
  Duration user_timeout_least = 100s;  ///< RFC 5482 3.1's L_LIMIT; 100 s is RFC 1122's R2
  Duration user_timeout_most = 24h;    ///< its U_LIMIT: what a peer can make us wait
  Duration keepalive_idle{0};  ///< silence before a keepalive probe; 0 = none are sent (MUST-25).
                               ///< Per connection: set_keepalive
  Duration keepalive_interval = 75s;  ///< between unanswered probes
  unsigned keepalive_count = 9;       ///< unanswered probes before giving up
  Duration connect_timeout = 180s;    ///< R2 of an active open's SYN (RFC 9293 MUST-23: >= 3 min)
  unsigned max_syn_ack_retransmits =
      5;  ///< then a half-open connection expires (63 s at 1 s initial RTO)
  SynCookieMode syn_cookies = SynCookieMode::kAuto;
  unsigned max_persist_probes = 15;  ///< unanswered zero-window probes before giving up
  Duration fin_wait_2_timeout =
      60s;  ///< the peer's silence in FIN-WAIT-2 after Connection::close()
  Duration half_close_timeout =
      10min;  ///< the same after shutdown_send(), while the application still reads
  Duration orphan_timeout =
      2min;  ///< after close(), or when both ends have sent FIN: how long the peer may keep its
             ///< window shut and acknowledge nothing new, though it answers probes (RFC 6429)
  Duration delayed_ack = 40ms;  ///< RFC 9293 MUST-40: < 0.5 s
  /// Bytes; the largest window offered at first. It grows up to max_receive_buffer with what the
  /// peer sends in a round trip, as long as the application keeps up.
  std::uint32_t receive_buffer = 256 * 1024;
  std::uint32_t max_receive_buffer = 6 * 1024 * 1024;  ///< below receive_buffer: it does not grow
  /// Bytes that a connection may have queued and unacknowledged; less where the memory of all is
  /// scarce (StackConfig::send_memory). on_writable comes when a quarter of it is free again.
  std::uint32_t send_buffer = 256 * 1024;
  bool nagle = true;       ///< per connection: Connection::set_nodelay
  bool timestamps = true;  ///< RFC 7323; used when the peer agrees
  /// An ICMP "unreachable" that may be temporary ends an active open, as with Linux; RFC 9293
  /// MUST-56 has it wait on.
  bool abort_connect_on_soft_error = false;
  bool report_soft_errors = true;    ///< on_soft_error; per connection: set_error_reports (SHLD-20)
  bool black_hole_detection = true;  ///< smaller segments when full ones time out (RFC 4821)
  /// Segments that were made smaller for their path are tried larger after so long (RFC 4821 7; RFC
  /// 8201 4 has it above 5 min, Linux 10); at most 10 s after full ones had vanished. 0 = never.
  Duration path_mtu_interval = 10min;
  bool window_scaling = true;  ///< RFC 7323; used when the peer agrees
  bool sack = true;            ///< RFC 2018, 2883; used when the peer agrees
  EcnMode ecn = EcnMode::kAccept;
  bool header_prediction = true;  ///< off: every segment takes the RFC's steps (tests compare both)
  CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
};

/// A stack: one interface, one core. Everything it will ever allocate follows from this.
struct StackConfig {
  Ipv4Prefix address;                  ///< the interface's own address and on-link prefix
  std::optional<Ipv4Address> gateway;  ///< must be on-link
  /// IPv6 too, by this address and on-link prefix beside a link-local address that follows from the
  /// MAC address (RFC 4291 appendix A); without it, IPv6 packets are dropped.
  std::optional<Ipv6Prefix> ip6;
  std::optional<Ipv6Address>
      gateway6;                 ///< on-link or link-local; else routers' advertisements count
  unsigned dad_transmits6 = 1;  ///< probes before an IPv6 address is used (RFC 4862 5.1); 0 = none
  /// IEEE 802.1Q: what is sent is tagged with this VLAN, 1 to 4094, and what is received must be.
  /// 0: no VLAN.
  std::uint16_t vlan = 0;
  std::uint32_t max_connections = 4096;  ///< TCBs; connections in any state but TIME-WAIT
  std::uint32_t max_time_wait = 0;  ///< TIME-WAIT records; 0 = 4 x max_connections, at least 16,384
  std::uint32_t syn_cache_entries = 16384;  ///< SYN-RECEIVED connections of all listeners; <= 96 B
  std::uint32_t max_half_open = 16384;      ///< SYN-RECEIVED connections per listener
  std::uint32_t max_listeners = 64;
  std::uint32_t max_neighbours = 1024;
  /// Datagrams in fragments that are put together at once, 64 KB of memory each (once used); a
  /// quarter of them at most is one source's. 0: fragments are dropped.
  std::uint32_t max_reassembly = 64;
  /// Whether that goes for TCP segments too, as RFC 1122 3.3.2 has it. Who finds the path's MTU
  /// sends none in fragments; they slip past filters, and make work for whoever puts them together.
  bool tcp_fragments = false;
  std::uint64_t send_memory =
      0;  ///< bytes for send chunks of all connections; 0 = derived from max_connections
  std::uint64_t receive_memory =
      0;  ///< bytes for received data copied out of frames; 0 = derived likewise
  /// Connections whose peers may have SACK blocks noted at once, about 2 KB each; those beyond
  /// recover by NewReno. 0 = an eighth of max_connections, at least 64.
  std::uint32_t max_sack_senders = 0;
  /// 128 secret bits from which every key (table hash, ISN, ports, timestamps) is derived. The same
  /// secret and the same input give the same packets; production passes random bits.
  std::array<std::uint64_t, 2> secret{};
  TcpConfig tcp;
};

}  // namespace tern
