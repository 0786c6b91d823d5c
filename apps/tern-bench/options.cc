// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

constexpr const char* kUsage =
    R"(usage: tern-bench server [EAL-ARGUMENT... --] [OPTION...]
       tern-bench client [EAL-ARGUMENT... --] --server ADDRESS [OPTION...]
The server echoes on port P, discards on P+1, sends on P+2, has HTTP on P+3.

client:
  --mode MODE        rr (request, answer), crr (connect, request, close),
                     stream (send), maerts (receive), idle (hold), http (GET)
  --server ADDRESS   any TCP server; --port N: its port (the mode's, from 9000);
                     --port N-M: in turn, as one takes 28,232 connections
  --connections N    in all, crr: at once (1); --opening N: handshakes (128)
  --rate R           open loop: R requests a second, whatever the server does;
                     latency counts from when each was meant to leave
  --warm-up S        of load, before it counts (1); --seconds S: measured (10)
  --path P --host H  http; --close: a new connection for each request
  --rtt              round trip times: one connection, closed loop
  --histogram FILE   HdrHistogram's percentile text, in microseconds
  --stay S           on the link after the result: the server leaves first (0)
  --raw              no stack: templates, no recovery, lighter than the server.
                     Also --mode l2: a server that swaps MAC addresses (testpmd)
server:
  --port N           the first of four (9000); --echo-ports N-M: more that echo
  --seconds S        ends by itself (0: by a signal)
both:
  --size N           bytes of a request, its answer, a write, an HTTP body (64)
  --json FILE  --csv FILE   the result; a line a second ("-": stdout)
  --mac M            own MAC address
)";

constexpr const char* kExamples =
    R"(--ip: 10.0.2.2/24 (server), 10.0.2.3/24 (client); --msl 0.05. In two shells:
  tern-bench server -l 0 --vdev=net_memif0,role=server,socket=/run/b.sock -- \
    --ip 10.0.0.1/8
  tern-bench client -l 1 --vdev=net_memif0,role=client,socket=/run/b.sock -- \
    --ip 10.0.0.2/8 --server 10.0.0.1 --raw --connections 64
)";

constexpr std::array<std::pair<std::string_view, Mode>, 7> kModes = {{{"rr", Mode::kRr},
                                                                      {"crr", Mode::kCrr},
                                                                      {"stream", Mode::kStream},
                                                                      {"maerts", Mode::kMaerts},
                                                                      {"idle", Mode::kIdle},
                                                                      {"http", Mode::kHttp},
                                                                      {"l2", Mode::kL2}}};

// What is text until it is checked.
struct Texts {
  std::string mac, server, mode = "rr", ports, echo_ports;
  double warm_up_s = 1, seconds = -1, stay_s = 0;
};

// TIME-WAIT lasts twice as long: a client that connects again and again needs its ports.
constexpr double kMslSeconds = 0.05;
constexpr double kLingerSeconds = 2;
// TIME-WAIT records that this leaves in use, and handshakes at once, however many connections there
// are: both lie in the connection table, whose size every connection pays for.
constexpr std::uint32_t kMostTimeWait = 1u << 18, kMostHalfOpen = 1u << 16;

/// A mistake that no single option shows; becomes the one line on stderr.
struct Mistake {
  std::string text;
};

bool read_mac(const std::string& text, tern::MacAddress& mac) {
  auto& o = mac.octets;
  int end = 0;
  constexpr const char* kFormat = "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n";
  return std::sscanf(text.c_str(), kFormat, &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &end) == 6 &&
         static_cast<std::size_t>(end) == text.size() && !mac.is_multicast() && !mac.is_zero();
}

std::string check_mac(const std::string& text) {
  tern::MacAddress mac;
  return read_mac(text, mac)
             ? ""
             : fmt::format("'{}' is not a station's MAC address, as in 02:00:00:00:00:01", text);
}

// "9000" or "9000-9199"; nothing if it is neither.
std::optional<PortRange> read_ports(const std::string& text) {
  PortRange range;
  const char* const end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, range.first);
  range.last = range.first;
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-')
    read = std::from_chars(read.ptr + 1, end, range.last);
  const bool is_good = read.ec == std::errc() && read.ptr == end && range.first > 0;
  return is_good && range.first <= range.last ? std::optional(range) : std::nullopt;
}

std::string check_ports(const std::string& text) {
  return read_ports(text) ? ""
                          : fmt::format(
                                "'{}' is neither a port nor a range of them, as in 9000 or "
                                "9000-9199",
                                text);
}

void add_common_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--mac", texts.mac)->check(check_mac);
  app.add_option("--port", texts.ports)->check(check_ports);
  app.add_option("--size", options.size)->check(CLI::Range(1, 1 << 26));
  app.add_option("--seconds", texts.seconds)->check(CLI::Range(0.0, 1e6));
  app.add_option("--json", options.json_path);
  app.add_option("--csv", options.csv_path);
}

void add_client_options(CLI::App& app, Options& options, Texts& texts) {
  std::vector<std::string> names;
  for (const auto& [name, mode] : kModes) names.emplace_back(name);
  app.add_option("--mode", texts.mode)->check(CLI::IsMember(names));
  app.add_option("--server", texts.server)->check(app::check_server);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 1 << 28));
  app.add_option("--opening", options.opening)->check(CLI::Range(1, 1 << 20));
  app.add_option("--rate", options.rate)->check(CLI::Range(0.001, 1e9));
  app.add_option("--warm-up", texts.warm_up_s)->check(CLI::Range(0.0, 3600.0));
  app.add_option("--stay", texts.stay_s)->check(CLI::Range(0.0, 3600.0));
  app.add_option("--path", options.path);
  app.add_option("--host", options.host);
  app.add_option("--histogram", options.histogram_path);
  app.add_flag("--close", options.close);
  app.add_flag("--rtt", options.is_round_trip);
  app.add_flag("--raw", options.is_raw);
}

std::uint16_t default_port(Mode mode) {
  constexpr std::uint16_t kFirst = 9000;
  switch (mode) {
    case Mode::kStream:
      return kFirst + kDiscardPort;
    case Mode::kMaerts:
      return kFirst + kSourcePort;
    case Mode::kHttp:
      return kFirst + kHttpPort;
    default:
      return kFirst;
  }
}

void fill_in_client(Options& options, const Texts& texts) {
  options.mode = std::find_if(kModes.begin(), kModes.end(), [&](const auto& entry) {
                   return entry.first == texts.mode;
                 })->second;
  const std::uint16_t usual = default_port(options.mode);
  const PortRange ports = texts.ports.empty() ? PortRange{usual, usual} : *read_ports(texts.ports);
  options.port = ports.first;
  options.server_ports = ports.count();
  options.warm_up = app::seconds(texts.warm_up_s);
  options.stay = app::seconds(texts.stay_s);
  options.length = app::seconds(texts.seconds < 0 ? 10 : texts.seconds);
  if (options.mode != Mode::kL2) {
    if (texts.server.empty()) throw Mistake{"whom to ask? Name a --server"};
    const tern::Endpoint server = *app::parse_server(texts.server);
    options.server = server.address;
    if (server.port != 0) options.port = server.port;
  }
  if (options.host.empty()) options.host = texts.server;
  if (options.length == tern::Duration::zero()) throw Mistake{"--seconds 0 measures nothing"};
  if (options.mode == Mode::kL2 && !options.is_raw)
    throw Mistake{"--mode l2 knows no TCP: add --raw"};
  const bool has_requests =
      options.mode == Mode::kRr || options.mode == Mode::kCrr || options.mode == Mode::kHttp;
  if (options.is_open_loop() && !has_requests)
    throw Mistake{fmt::format("--rate is for rr, crr and http; --mode {} has no requests to space",
                              texts.mode)};
  if (options.is_round_trip && (options.mode != Mode::kRr || options.connections != 1))
    throw Mistake{"--rtt is --mode rr with one connection"};
  if (options.path.empty() || options.path.front() != '/')
    throw Mistake{fmt::format("--path '{}' does not begin with '/'", options.path)};
}

// What a raw client cannot do, said before anything is started.
void check_raw(const Options& options) {
  const std::uint32_t most = options.runtime.mtu - 40u;
  if (options.mode == Mode::kHttp) throw Mistake{"--raw reads no HTTP: leave --raw out"};
  if (options.mode != Mode::kL2 && !options.server.is_v4())
    throw Mistake{"--raw speaks IPv4 only: leave --raw out"};
  if (options.runtime.workers > 1) throw Mistake{"--raw has one worker: leave --workers out"};
  if (options.server_ports > 1)
    throw Mistake{"--raw has as many addresses as it needs: give --port one port"};
  if (options.size > most)
    throw Mistake{
        fmt::format("--raw sends a request in one segment: --size {} is more than {} (--mtu)",
                    options.size, most)};
  if (!options.runtime.capture_path.empty())
    throw Mistake{"--raw captures nothing: use --capture at the server"};
}

// CommandLine has filled in what is common to all programs.
void fill_in_stack(Options& options) {
  tern::StackConfig& stack = options.runtime.stack;
  // A client's workers have equal shares.
  const std::uint32_t workers = std::max(1u, options.runtime.workers);
  const std::uint32_t share = (options.connections + workers - 1) / workers;
  if (stack.max_connections == 0) stack.max_connections = options.is_server ? 16'384 : share + 64;
  if (stack.max_connections < share)
    throw Mistake{
        fmt::format("--connections {} need --max-connections of as many at least", share)};
  // Little but max_connections shall limit how many are opened at once.
  stack.max_half_open = std::min(stack.max_connections, kMostHalfOpen);
  stack.syn_cache_entries = std::max(stack.syn_cache_entries, stack.max_half_open);
  if (stack.max_connections > kMostTimeWait / 4) stack.max_time_wait = kMostTimeWait;
  stack.tcp.nagle = false;
  stack.tcp.connect_timeout = std::chrono::seconds(10);
  const std::uint32_t ports = kPortCount + (options.echo_ports ? options.echo_ports->count() : 0);
  stack.max_listeners = std::max(stack.max_listeners, 2 * ports);  // of each family
  // An HTTP answer is queued whole.
  if (options.is_server && options.size > stack.tcp.send_buffer / 2)
    stack.tcp.send_buffer = 2 * options.size;
}

void fill_in_server(Options& options, const Texts& texts) {
  if (!texts.ports.empty()) {
    const PortRange ports = *read_ports(texts.ports);
    if (ports.count() > 1)
      throw Mistake{fmt::format("--port {}: the first of {} ports; --echo-ports names more of them",
                                texts.ports, static_cast<int>(kPortCount))};
    options.port = ports.first;
  }
  options.length = app::seconds(std::max(texts.seconds, 0.0));
  if (options.port > 65536 - kPortCount)
    throw Mistake{fmt::format("--port {}: {} ports in a row are needed", options.port,
                              static_cast<int>(kPortCount))};
  if (texts.echo_ports.empty()) return;
  options.echo_ports = read_ports(texts.echo_ports);
  if (options.echo_ports->first < options.port + kPortCount &&
      options.echo_ports->last >= options.port)
    throw Mistake{fmt::format("--echo-ports {}: {} to {} are taken by the four services",
                              texts.echo_ports, options.port, options.port + kPortCount - 1)};
}

void fill_in(Options& options, const Texts& texts) {
  if (!texts.mac.empty()) read_mac(texts.mac, options.runtime.mac.emplace());
  if (options.is_server) {
    fill_in_server(options, texts);
  } else {
    fill_in_client(options, texts);
  }
  fill_in_stack(options);
  if (options.is_raw) check_raw(options);
}

int refuse(std::string_view why) {
  fmt::print(stderr, "tern-bench: {} (see --help)\n", why);
  return app::kUsageError;
}

}  // namespace

std::string_view to_string(Mode mode) { return kModes[static_cast<std::size_t>(mode)].first; }

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  Texts texts;
  const std::string role = argc > 1 ? argv[1] : "";
  const bool has_role = role == "server" || role == "client";
  if (!has_role && !role.starts_with("-"))
    return refuse(role.empty() ? "server or client?"
                               : fmt::format("'{}' is neither server nor client", role));
  options.is_server = role == "server";
  options.runtime.tap_name = options.is_server ? "ternb0" : "ternb1";
  options.runtime.stack.max_connections = 0;  // not said
  app::CommandLine line({.name = "tern-bench",
                         .ip = options.is_server ? "10.0.2.2/24" : "10.0.2.3/24",
                         .usage = kUsage,
                         .examples = kExamples},
                        options);
  line.app().get_option("--msl")->default_val(kMslSeconds);
  line.app().get_option("--linger")->default_val(kLingerSeconds);
  if (has_role) add_common_options(line.app(), options, texts);
  if (role == "client") add_client_options(line.app(), options, texts);
  if (role == "server") line.app().add_option("--echo-ports", texts.echo_ports)->check(check_ports);
  const int skipped = has_role ? 1 : 0;
  if (const auto status = line.parse(argc - skipped, argv + skipped)) return *status;
  try {
    fill_in(options, texts);
  } catch (const Mistake& mistake) {
    return refuse(mistake.text);
  }
  return options;
}

}  // namespace bench
