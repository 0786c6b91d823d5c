// SPDX-License-Identifier: BSD-3-Clause
#include "common/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

namespace app {

namespace {

using tern::IdleStrategy;
using tern::Ipv4Address;
using tern::Ipv4Prefix;
using tern::Ipv6Address;
using tern::Ipv6Prefix;

constexpr const char* kCommonHelp =
    R"(  --ip A.B.C.D/N  --gateway A.B.C.D  this program's own address; the next hop
  --tap NAME  --device NAME  the tap that appears on this host; DPDK's device
  --host-ip A.B.C.D/N      this host's own address on it, and forwarding
  --ip6 ADDRESS/N  --gateway6 ADDRESS  --host-ip6 ADDRESS/N   the same for IPv6
  --mtu N  --vlan N        bytes a packet (1500); its 802.1Q tag, 1 to 4094
  --workers N  --max-connections N  stacks, a core each; connections of each
  --capture FILE.pcapng    writes every packet to a file for tcpdump -r;
  --capture-filter TEXT    only some, e.g. 'tcp port 9999' (as tcpdump has it)
  --idle HOW  --congestion HOW  spin, pause, sleep or auto; cubic or newreno
  --linger S  --msl S      seconds: given to connections at exit (5); MSL (30)
  --trust-checksums  --no-tso  missing checksums are good; no large segments
  --tcp-fragments          TCP segments in IP fragments are put together, too
  --stats --quiet --verbose  counters at exit; errors only; DPDK's log as well
  --config FILE  --version  --help             a line of FILE: msl = 5
)";

std::string check_prefix(const std::string& text) {
  return Ipv4Prefix::parse(text)
             ? ""
             : fmt::format("'{}' is not an address with its subnet, as in 10.0.2.2/24", text);
}

std::string check_prefix6(const std::string& text) {
  return Ipv6Prefix::parse(text)
             ? ""
             : fmt::format("'{}' is not an IPv6 address with its prefix, as in fd00::2/64", text);
}

std::string check_address6(const std::string& text) {
  return Ipv6Address::parse(text) ? ""
                                  : fmt::format("'{}' is not an IPv6 address, as in fd00::1", text);
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

bool is_multicast(const tern::IpAddress& address) {
  return address.is_v4() ? address.v4().is_multicast() : address.v6().is_multicast();
}

}  // namespace

tern::Duration seconds(double s) {
  return std::chrono::duration_cast<tern::Duration>(std::chrono::duration<double>(s));
}

std::string check_address(const std::string& text) {
  return Ipv4Address::parse(text)
             ? ""
             : fmt::format("'{}' is not an IPv4 address, as in 10.0.2.1", text);
}

std::optional<tern::Endpoint> parse_server(const std::string& text) {
  if (const auto address = tern::IpAddress::parse(text)) return tern::Endpoint{*address, 0};
  const std::size_t end = text.starts_with('[') ? text.find(']') : text.find(':');
  if (end == std::string::npos) return std::nullopt;
  const bool bracketed = text[end] == ']';
  const auto address = bracketed ? tern::IpAddress::parse(text.substr(1, end - 1))
                                 : tern::IpAddress::parse(text.substr(0, end));
  const std::string rest = text.substr(end + (bracketed ? 1 : 0));
  if (!address || address->is_v4() == bracketed) return std::nullopt;
  if (rest.empty()) return tern::Endpoint{*address, 0};
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), port);
  if (rest[0] != ':' || error != std::errc() || stop != rest.data() + rest.size() || port == 0)
    return std::nullopt;
  return tern::Endpoint{*address, port};
}

std::string check_server(const std::string& text) {
  const auto server = parse_server(text);
  if (!server)
    return fmt::format(
        "'{}' is not an address, as in 10.0.2.2 or fd00::2, or with a port, as in 10.0.2.2:9999 or "
        "[fd00::2]:9999",
        text);
  const bool is_host = !server->address.is_unspecified() && !is_multicast(server->address);
  return is_host ? "" : fmt::format("'{}' is no host's address", text);
}

CommandLine::CommandLine(const Program& program, CommonOptions& common)
    : common_(common), app_(std::make_unique<CLI::App>()), ip_(program.ip) {
  common_.runtime.program = program.name;
  // By hand, since a generated one fills two screens.
  app_->formatter_fn([help = program.usage + kCommonHelp + program.examples](
                         const CLI::App*, std::string, CLI::AppFormatMode) { return help; });
  app_->set_version_flag("--version", program.name + " (Tern) " TERN_VERSION);
  app_->allow_config_extras(CLI::config_extras_mode::error);
  app_->set_config("--config")->check(CLI::ExistingFile);
  add_network_options();
  add_other_options();
}

CommandLine::~CommandLine() = default;

void CommandLine::add_network_options() {
  tern::RuntimeConfig& runtime = common_.runtime;
  app_->add_option("--ip", ip_)->check(check_prefix);
  app_->add_option("--gateway", gateway_)->check(check_address);
  app_->add_option("--tap", runtime.tap_name)->check(check_tap_name);
  app_->add_option("--host-ip", host_ip_)->check(check_prefix);
  app_->add_option("--ip6", ip6_)->check(check_prefix6);
  app_->add_option("--gateway6", gateway6_)->check(check_address6);
  app_->add_option("--host-ip6", host_ip6_)->check(check_prefix6);
  app_->add_option("--device", runtime.device);
  app_->add_option("--mtu", runtime.mtu)->check(CLI::Range(576, 9216));
  app_->add_option("--vlan", runtime.stack.vlan)->check(CLI::Range(1, 4094));
  app_->add_flag("--trust-checksums", runtime.trust_missing_checksum);
  app_->add_flag("--no-tso{false}", runtime.tso);
  app_->add_flag("--tcp-fragments", runtime.stack.tcp_fragments);
}

void CommandLine::add_other_options() {
  tern::RuntimeConfig& runtime = common_.runtime;
  app_->add_option("--workers", runtime.workers)->check(CLI::Range(1, 128));
  app_->add_option("--max-connections", runtime.stack.max_connections)
      ->check(CLI::Range(1, 1 << 28));
  app_->add_option("--capture", runtime.capture_path);
  app_->add_option("--capture-filter", runtime.capture_filter);
  app_->add_option("--idle", idle_)->check(CLI::IsMember({"auto", "spin", "pause", "sleep"}));
  app_->add_option("--congestion", congestion_)->check(CLI::IsMember({"cubic", "newreno"}));
  app_->add_option("--linger", linger_s_)->check(CLI::Range(0.0, 3600.0));
  app_->add_option("--msl", msl_s_)->check(CLI::Range(0.001, 600.0));
  app_->add_flag("--stats", common_.stats);
  auto* quiet = app_->add_flag("--quiet", common_.quiet);
  app_->add_flag("--verbose", common_.verbose)->excludes(quiet);
}

void CommandLine::fill_in() {
  static const std::map<std::string_view, IdleStrategy> kStrategies = {
      {"auto", IdleStrategy::kAuto},
      {"spin", IdleStrategy::kSpin},
      {"pause", IdleStrategy::kPause},
      {"sleep", IdleStrategy::kSleep}};
  tern::RuntimeConfig& runtime = common_.runtime;
  runtime.idle = kStrategies.at(idle_);
  runtime.stack.address = *Ipv4Prefix::parse(ip_);
  if (!gateway_.empty()) runtime.stack.gateway = Ipv4Address::parse(gateway_);
  if (!host_ip_.empty()) common_.host_ip = Ipv4Prefix::parse(host_ip_);
  if (!ip6_.empty()) runtime.stack.ip6 = Ipv6Prefix::parse(ip6_);
  if (!gateway6_.empty()) runtime.stack.gateway6 = Ipv6Address::parse(gateway6_);
  if (!host_ip6_.empty()) common_.host_ip6 = Ipv6Prefix::parse(host_ip6_);
  runtime.linger = seconds(linger_s_);
  runtime.stack.tcp.congestion = congestion_ == "cubic" ? tern::CongestionAlgorithm::kCubic
                                                        : tern::CongestionAlgorithm::kNewReno;
  runtime.stack.tcp.msl = seconds(msl_s_);
}

// CLI11's words, but for what is no option at all, and with the file where there is one.
std::string CommandLine::words_of(const CLI::ParseError& error) const {
  const std::vector<std::string> rest = app_->remaining();
  const bool has_file = app_->get_config_ptr()->count() > 0;
  const std::string file = has_file ? app_->get_config_ptr()->results().front() : "";
  std::string_view what = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty())
    return fmt::format("no option is called '{}'; EAL's own stand before a '--'", rest.front());
  constexpr std::string_view kUnknownKey = "INI was not able to parse ";
  if (what.starts_with(kUnknownKey))
    return fmt::format("{}: no option is called '{}'", file, what.substr(kUnknownKey.size()));
  return has_file ? fmt::format("{} (on the command line or in {})", what, file)
                  : std::string(what);
}

int CommandLine::answer(const CLI::ParseError& error) const {
  if (error.get_exit_code() == 0) return app_->exit(error);  // --help, --version
  fmt::print(stderr, "{}: {} (see --help)\n", common_.runtime.program, words_of(error));
  return kUsageError;
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  const std::vector<std::string> all(argv + 1, argv + argc);
  // "-l 1 -- --port 7": what stands before "--" is EAL's.
  const auto separator = std::find(all.begin(), all.end(), "--");
  const bool has_separator = separator != all.end();
  if (has_separator) common_.runtime.eal_arguments.assign(all.begin(), separator);
  // CLI11 takes a vector from its end.
  std::vector<std::string> own(has_separator ? separator + 1 : all.begin(), all.end());
  std::reverse(own.begin(), own.end());
  try {
    app_->parse(own);
  } catch (const CLI::ParseError& error) {
    return answer(error);
  }
  fill_in();
  return std::nullopt;
}

}  // namespace app
