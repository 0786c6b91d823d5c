// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tern/runtime.h"

// Only who adds options needs CLI11's header, which takes many times longer to compile than this
// one.
namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace app {

inline constexpr int kUsageError = 2;

/// What every program with a stack of its own takes from its command line and configuration file.
struct CommonOptions {
  tern::RuntimeConfig runtime;
  std::optional<tern::Ipv4Prefix> host_ip;   // the kernel's address at the other end of the tap,
  std::optional<tern::Ipv6Prefix> host_ip6;  // and its IPv6 one
  bool quiet = false;                        // errors only
  bool verbose = false;                      // DPDK's log as well
  bool stats = false;                        // counters at exit
};

/// A program's command line: "[EAL arguments --] options". Adds the common options to a CLI::App,
/// to which the program adds its own. `common` and the help text must outlive it; what `common`
/// holds at first are the defaults.
class CommandLine {
 public:
  struct Program {
    std::string name;
    std::string ip;        // the default of --ip
    std::string usage;     // the help: what it is, and its own options,
    std::string examples;  // before and after the common ones
  };
  CommandLine(const Program& program, CommonOptions& common);
  ~CommandLine();

  CLI::App& app() { return *app_; }

  /// Answers an exit status if that is all: --help and --version (0, printed on stdout), or a
  /// mistake (2, one line on stderr).
  std::optional<int> parse(int argc, const char* const* argv);

 private:
  void add_network_options();
  void add_other_options();
  void fill_in();
  std::string words_of(const CLI::ParseError& error) const;
  int answer(const CLI::ParseError& error) const;

  CommonOptions& common_;
  std::unique_ptr<CLI::App> app_;
  // The options that are not numbers, until they are checked.
  std::string ip_, gateway_, host_ip_, ip6_, gateway6_, host_ip6_, idle_ = "auto";
  std::string congestion_ = "cubic";
  double linger_s_ = 5, msl_s_ = 30;
};

tern::Duration seconds(double s);

/// For CLI::Option::check: "" or what is wrong with the text.
std::string check_address(const std::string& text);

/// "ADDRESS" or "ADDRESS:PORT" of either family; IPv6 with a port stands in brackets. Port 0: none.
std::optional<tern::Endpoint> parse_server(const std::string& text);
std::string check_server(const std::string& text);

}  // namespace app
