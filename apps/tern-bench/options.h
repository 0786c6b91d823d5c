// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/command_line.h"

namespace bench {

enum class Mode : std::uint8_t {
  kRr,      ///< a request, its answer of the same size, again
  kCrr,     ///< connect, one request, close
  kStream,  ///< the client sends all it can
  kMaerts,  ///< the server does
  kIdle,    ///< open and hold; at the end one request each
  kHttp,    ///< GET against any server
  kL2,      ///< frames against something that swaps MAC addresses: what the link itself carries
};
std::string_view to_string(Mode mode);

/// The server listens on four ports in a row, so that it need not be told what the client does.
enum PortOffset : std::uint16_t { kEchoPort, kDiscardPort, kSourcePort, kHttpPort, kPortCount };

/// Ports in a row, both ends included.
struct PortRange {
  std::uint16_t first = 0, last = 0;

  std::uint32_t count() const { return last - first + 1u; }
  std::uint16_t operator[](std::uint32_t i) const { return static_cast<std::uint16_t>(first + i); }
};

struct Options : app::CommonOptions {
  bool is_server = false;
  bool is_raw = false;  ///< client: without a stack
  Mode mode = Mode::kRr;
  tern::IpAddress server;          ///< client: whom to ask
  std::uint16_t port = 9000;       ///< server: the first of four; client: the server's, exactly
  std::uint32_t server_ports = 1;  ///< client: so many from `port` on, in turn
  std::optional<PortRange> echo_ports = {};  ///< server: more ports that echo
  std::uint32_t connections = 1;             ///< in all; for crr: at once at most
  std::uint32_t opening = 128;         ///< handshakes, idle: requests, under way at once at most
  std::uint32_t size = 64;             ///< bytes of a request, of a stream's write, of an HTTP body
  double rate = 0;                     ///< requests (crr: connections) a second; 0 = closed loop
  tern::Duration warm_up{}, length{};  ///< of the load; the server: length 0 = until it is stopped
  tern::Duration stay{};               ///< client: on the link after the result
  bool close = false;                  ///< http: a new connection for every request
  bool is_round_trip = false;          ///< --rtt
  std::string path = "/", host = {};   ///< http
  std::string json_path = {}, csv_path = {}, histogram_path = {};

  bool is_open_loop() const { return rate > 0; }
  /// Where a client's connection goes.
  tern::Endpoint remote_of(std::uint32_t connection) const {
    return {server, static_cast<std::uint16_t>(port + connection % server_ports)};
  }
};

/// Reads "server|client [EAL arguments --] options". Answers an exit status instead if that is all:
/// --help and --version (0, printed on stdout), or a mistake (2, one line on stderr).
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace bench
