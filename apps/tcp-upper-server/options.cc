// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace upper {

namespace {

using tern::IdleStrategy;
using tern::Ipv4Address;
using tern::Ipv4Prefix;

// By hand, since a generated one fills two screens.
constexpr const char* kHelp =
    R"(usage: tcp-upper-server [EAL-ARGUMENT... --] [OPTION...]
Answers TCP clients with their own words in upper case, over Tern on DPDK.

  --ip A.B.C.D/N           this server's address and subnet (10.0.2.2/24)
  --gateway A.B.C.D        the next hop to other subnets
  --port N                 the TCP port (9999)
  --tap NAME               the tap device that appears on this host (tern0)
  --device NAME            DPDK's device to use, if there are several
  --mtu N                  bytes of an IP packet (1500)
  --max-connections N      connections at once (4096)
  --capture FILE.pcapng    writes every packet to a file for tcpdump -r
  --idle auto|busy|sleep   without work: nap or poll on (auto: nap on a tap)
  --linger S  --msl S      seconds: given to connections at exit (5); MSL (30)
  --trust-checksums        a virtual wire's frames without checksums are good
  --stats                  prints the counters at exit
  --quiet  --verbose       errors only; DPDK's log as well
  --config FILE            options from a file, one a line, e.g. port = 7777
  --version  --help
examples:
  tcp-upper-server         then: ip address add 10.0.2.1/24 dev tern0
                                 nc 10.0.2.2 9999
  tcp-upper-server -l 1 -a 0000:00:05.0 -- --ip 192.0.2.2/24 --port 7777
)";

// The texts of the options that are not numbers, until they are checked.
struct Texts {
  std::string ip = "10.0.2.2/24";
  std::string gateway;
  std::string idle = "auto";
  double linger_s = 5;
  double msl_s = 30;
};

tern::Duration seconds(double s) {
  return std::chrono::duration_cast<tern::Duration>(std::chrono::duration<double>(s));
}

std::string check_prefix(const std::string& text) {
  return Ipv4Prefix::parse(text)
             ? ""
             : fmt::format("'{}' is not an address with its subnet, as in 10.0.2.2/24", text);
}

std::string check_address(const std::string& text) {
  return Ipv4Address::parse(text)
             ? ""
             : fmt::format("'{}' is not an IPv4 address, as in 10.0.2.1", text);
}

std::string check_tap_name(const std::string& text) {
  constexpr std::size_t kLongest = 15;  // IFNAMSIZ, with its zero
  const bool good =
      !text.empty() && text.size() <= kLongest && text.find_first_of("/,: ") == std::string::npos;
  return good ? ""
              : fmt::format(
                    "'{}' cannot name a network device: 1 to 15 characters, none of them / , : or "
                    "a space",
                    text);
}

void add_network_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--ip", texts.ip)->check(check_prefix);
  app.add_option("--gateway", texts.gateway)->check(check_address);
  app.add_option("--port", options.port)->check(CLI::Range(1, 65535));
  app.add_option("--tap", options.runtime.tap_name)->check(check_tap_name);
  app.add_option("--device", options.runtime.device);
  app.add_option("--mtu", options.runtime.mtu)->check(CLI::Range(576, 9216));
  app.add_flag("--trust-checksums", options.runtime.trust_missing_checksum);
}

void add_other_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--max-connections", options.runtime.stack.max_connections)
      ->check(CLI::Range(1, 1 << 28));
  app.add_option("--capture", options.runtime.capture_path);
  app.add_option("--idle", texts.idle)->check(CLI::IsMember({"auto", "busy", "sleep"}));
  app.add_option("--linger", texts.linger_s)->check(CLI::Range(0.0, 3600.0));
  app.add_option("--msl", texts.msl_s)->check(CLI::Range(0.001, 600.0));
  app.add_flag("--stats", options.stats);
  auto* quiet = app.add_flag("--quiet", options.quiet);
  app.add_flag("--verbose", options.verbose)->excludes(quiet);
}

void fill_in(Options& options, const Texts& texts) {
  static const std::map<std::string_view, IdleStrategy> kStrategies = {
      {"auto", IdleStrategy::kAuto},
      {"busy", IdleStrategy::kBusy},
      {"sleep", IdleStrategy::kSleep}};
  options.runtime.idle = kStrategies.at(texts.idle);
  options.runtime.stack.address = *Ipv4Prefix::parse(texts.ip);
  if (!texts.gateway.empty()) options.runtime.stack.gateway = Ipv4Address::parse(texts.gateway);
  options.runtime.linger = seconds(texts.linger_s);
  options.runtime.stack.tcp.msl = seconds(texts.msl_s);
}

// "-l 1 -- --port 7": what stands before "--" is EAL's.
std::size_t count_eal_arguments(std::span<const std::string> arguments) {
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  return separator == arguments.end() ? 0 : static_cast<std::size_t>(separator - arguments.begin());
}

int answer(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  fmt::print(stderr, "tcp-upper-server: {}{} (see --help)\n", error.what(),
             unknown ? "; EAL's own stand before a '--'" : "");
  return kUsageError;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  const std::vector<std::string> all(argv + 1, argv + argc);
  const std::size_t eal = count_eal_arguments(all);
  const bool has_separator = std::find(all.begin(), all.end(), "--") != all.end();

  Options options;
  options.runtime.program = "tcp-upper-server";
  options.runtime.eal_arguments.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(eal));
  Texts texts;
  CLI::App app;
  app.formatter_fn([](const CLI::App*, std::string, CLI::AppFormatMode) { return kHelp; });
  app.set_version_flag("--version", "tcp-upper-server (Tern) " TERN_VERSION);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config")->check(CLI::ExistingFile);
  add_network_options(app, options, texts);
  add_other_options(app, options, texts);
  try {
    // CLI11 takes a vector from its end.
    std::vector<std::string> own(
        all.begin() + static_cast<std::ptrdiff_t>(eal + (has_separator ? 1 : 0)), all.end());
    std::reverse(own.begin(), own.end());
    app.parse(own);
  } catch (const CLI::ParseError& error) {
    return answer(app, error);
  }
  fill_in(options, texts);
  return options;
}

}  // namespace upper
