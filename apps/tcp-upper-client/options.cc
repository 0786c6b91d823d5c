// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

namespace client {

namespace {

constexpr const char* kUsage =
    R"(usage: tcp-upper-client [EAL-ARGUMENT... --] -i SERVER [OPTION...]
Sends lines to an upper-case server, over Tern on DPDK, and prints its answers.
Ctrl-D closes. Without a terminal it is a filter: < in > out.
  -i, --server ADDRESS     the server's, e.g. 10.0.2.2, fd00::2, [fd00::2]:9999
  -p, --port N             its TCP port (9999)
  --local-port N  --connect-timeout S  ours (drawn); for an answer to SYN (180)
  --time-wait auto|yes|no  stay for 2 MSL after closing (auto: at a terminal)
)";

constexpr const char* kExamples =
    R"(By default it is 10.0.1.2 behind the tap tern-client; this host routes for it.
  echo hello | tcp-upper-client -i 10.0.2.2   with scripts/run elsewhere
exit status: 0 all came back; 1 refused, unreachable, timed out, reset; 2 usage
)";

constexpr const char* kDefaultIp = "10.0.1.2/24";
constexpr const char* kDefaultHostIp = "10.0.1.1/24";

// Who sets nothing up gets a network of two: this program, and this host as its router.
void fill_in_network(Options& options, bool own_ip) {
  if (own_ip || !options.runtime.eal_arguments.empty()) return;
  const tern::Ipv4Prefix host = *tern::Ipv4Prefix::parse(kDefaultHostIp);
  if (!options.runtime.stack.gateway) options.runtime.stack.gateway = host.address;
  if (!options.host_ip) options.host_ip = host;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  static const std::map<std::string, TimeWait> kTimeWaits = {
      {"auto", TimeWait::kAuto}, {"yes", TimeWait::kYes}, {"no", TimeWait::kNo}};
  Options options;
  options.runtime.tap_name = "tern-client";
  options.runtime.stack.max_connections = 16;
  options.runtime.stack.tcp.abort_connect_on_soft_error = true;  // a person waits
  std::string server, time_wait = "auto";
  double connect_timeout_s = 180;
  app::CommandLine line(
      {.name = "tcp-upper-client", .ip = kDefaultIp, .usage = kUsage, .examples = kExamples},
      options);
  CLI::App& own = line.app();
  own.add_option("-i,--server", server)->required()->check(app::check_server);
  own.add_option("-p,--port", options.port)->check(CLI::Range(1, 65535));
  own.add_option("--local-port", options.local_port)->check(CLI::Range(1, 65535));
  own.add_option("--connect-timeout", connect_timeout_s)->check(CLI::Range(0.1, 86400.0));
  own.add_option("--time-wait", time_wait)->check(CLI::IsMember({"auto", "yes", "no"}));
  if (const auto status = line.parse(argc, argv)) return *status;
  const tern::Endpoint endpoint = *app::parse_server(server);
  options.server = endpoint.address;
  if (endpoint.port != 0) options.port = endpoint.port;
  options.time_wait = kTimeWaits.at(time_wait);
  options.runtime.stack.tcp.connect_timeout = app::seconds(connect_timeout_s);
  fill_in_network(options, own.count("--ip") > 0);
  return options;
}

}  // namespace client
