// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <string>

namespace upper {

namespace {

constexpr const char* kUsage =
    R"(usage: tcp-upper-server [EAL-ARGUMENT... --] [OPTION...]
Answers TCP clients with their own words in upper case, over Tern on DPDK,
as 10.0.2.2/24 behind the tap device tern0 if nothing else is said.

  --port N  --keepalive S  the TCP port (9999); probes clients silent for S s
  --syn-cookies MODE       auto (when SYNs find no room), always or never (auto)
)";

constexpr const char* kExamples =
    R"(examples:
  tcp-upper-server --host-ip 10.0.2.1/24         then: nc 10.0.2.2 9999
  tcp-upper-server -l 1 -a 0000:00:05.0 -- --ip 192.0.2.2/24 --port 7777
)";

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  static const std::map<std::string, tern::SynCookieMode> kSynCookieModes = {
      {"auto", tern::SynCookieMode::kAuto},
      {"always", tern::SynCookieMode::kAlways},
      {"never", tern::SynCookieMode::kOff}};
  Options options;
  app::CommandLine line(
      {.name = "tcp-upper-server", .ip = "10.0.2.2/24", .usage = kUsage, .examples = kExamples},
      options);
  line.app().add_option("--port", options.port)->check(CLI::Range(1, 65535));
  std::string syn_cookies = "auto";
  line.app()
      .add_option("--syn-cookies", syn_cookies)
      ->check(CLI::IsMember({"auto", "always", "never"}));
  double keepalive_s = 0;
  line.app().add_option("--keepalive", keepalive_s)->check(CLI::Range(0.1, 86400.0));
  if (const auto status = line.parse(argc, argv)) return *status;
  tern::TcpConfig& tcp = options.runtime.stack.tcp;
  tcp.syn_cookies = kSynCookieModes.at(syn_cookies);
  tcp.keepalive_idle =
      std::chrono::duration_cast<tern::Duration>(std::chrono::duration<double>(keepalive_s));
  if (keepalive_s > 0)
    tcp.keepalive_interval = std::min(tcp.keepalive_interval, tcp.keepalive_idle);
  return options;
}

}  // namespace upper
