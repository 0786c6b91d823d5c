// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

constexpr const char* kUsage =
    R"(usage: tern-bench server [EAL-ARGUMENT... --] [OPTION...]
       tern-bench client [EAL-ARGUMENT... --] --server A.B.C.D [OPTION...]
The server echoes on port P, discards on P+1, sends without end on P+2 and answers HTTP on P+3.

client:
  --mode MODE        rr (request, answer), crr (connect, request, close), stream (send),
                     maerts (receive), idle (hold), http (GET) (rr)
  --server A.B.C.D   whom to ask, any TCP server; --port N: its port (9000 + what the mode needs)
  --connections N    in all; crr: at once at most (1); --opening N: handshakes at once (128)
  --rate R           open loop: R requests a second, whatever the server does; latency counts from
                     when a request was meant to leave. Without it: closed loop
  --warm-up S        seconds of load before the measurement (1); --seconds S: its length (10)
  --path P --host H  http; --close: a new connection for each request
  --rtt              round trip times: one connection, closed loop
  --histogram FILE   HdrHistogram's percentile text, in microseconds
  --stay S           on the link after the result, so that the server can leave first (0)
  --raw              without a stack: templates, no recovery; lighter than what it measures.
                     Also: --mode l2, against a server that swaps MAC addresses (dpdk-testpmd)
server:
  --port N           the first of four ports (9000); --seconds S: ends by itself (0: by a signal)
both:
  --size N           bytes of a request and its answer, of a write, of an HTTP body (64)
  --json FILE  --csv FILE   the result; a line a second ("-": stdout)
  --mac M            own MAC address
)";

constexpr const char* kExamples =
    R"(--ip is 10.0.2.2/24 for the server and 10.0.2.3/24 for the client, --msl 0.05: ports are needed again.
example, two shells:
  tern-bench server -l 0 --vdev=net_memif0,role=server,socket=/run/b.sock -- --ip 10.0.0.1/8
  tern-bench client -l 1 --vdev=net_memif0,role=client,socket=/run/b.sock -- --ip 10.0.0.2/8 \
    --server 10.0.0.1 --raw --connections 64
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
  std::string mac, server, mode = "rr";
  double warm_up_s = 1, seconds = -1, stay_s = 0;
  std::uint16_t port = 0;
};

// TIME-WAIT lasts twice as long: a client that connects again and again needs its ports.
constexpr double kMslSeconds = 0.05;
constexpr double kLingerSeconds = 2;

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

void add_common_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--mac", texts.mac)->check(check_mac);
  app.add_option("--port", texts.port)->check(CLI::Range(1, 65535));
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
  options.port = texts.port != 0 ? texts.port : default_port(options.mode);
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
  if (options.runtime.workers > 1)
    throw Mistake{"the client has one worker: start a client for each core"};
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
  if (stack.max_connections == 0)
    stack.max_connections = options.is_server ? 16'384 : options.connections + 64;
  if (stack.max_connections < options.connections)
    throw Mistake{fmt::format("--connections {} need --max-connections of as many at least",
                              options.connections)};
  // Nothing but max_connections shall limit how many are opened at once.
  stack.max_half_open = stack.max_connections;
  stack.syn_cache_entries = std::max(stack.syn_cache_entries, stack.max_half_open);
  stack.tcp.nagle = false;
  stack.tcp.connect_timeout = std::chrono::seconds(10);
  // An HTTP answer is queued whole.
  if (options.is_server && options.size > stack.tcp.send_buffer / 2)
    stack.tcp.send_buffer = 2 * options.size;
}

void fill_in(Options& options, const Texts& texts) {
  if (!texts.mac.empty()) read_mac(texts.mac, options.runtime.mac.emplace());
  if (options.is_server) {
    options.port = texts.port != 0 ? texts.port : options.port;
    options.length = app::seconds(std::max(texts.seconds, 0.0));
    if (options.port > 65536 - kPortCount)
      throw Mistake{fmt::format("--port {}: {} ports in a row are needed", options.port,
                                static_cast<int>(kPortCount))};
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
