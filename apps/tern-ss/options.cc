// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

namespace ss {

namespace {

constexpr const char* kHelp =
    R"(usage: tern-ss [OPTION...] [FILTER]
Shows the TCP sockets of running Tern processes, as ss shows the kernel's.

  -t              TCP sockets (there are no others)
  -a              all of them; without -a or -l, those that are connected
  -l              those that listen
  -n              ports as numbers
  -4  -6          of IPv4 or IPv6 only
  -i              TCP's internals: RTT, windows, what was lost
  -e  -o          the running timer; with -e the application's word, too
  -m              queued bytes and buffer limits
  -p              the process (always if there are several)
  -s              a summary: sockets by state, half-open ones, SYN floods
  -K              closes the sockets that FILTER selects, with a RST
  -w              again and again; --interval S (1)
  -H              no header
  --json          an array of objects
  --file-prefix P only the process with this DPDK file prefix
  --version  --help
filter: [state WORD | exclude WORD]... [EXPRESSION], as ss has it:
  tern-ss -nt state time-wait
  tern-ss -nt '( sport = :9999 or dport = :80 ) and not dst 10.0.1.0/24'
  tern-ss -K dst 10.0.1.2:47762
exit status: 0; 1 no Tern process is running; 2 a mistake in the command line
)";

struct Flags {
  bool all = false, listening = false, v4 = false, v6 = false;
  std::vector<std::string> words;
};

int mistake(const std::string& why) {
  fmt::print(stderr, "tern-ss: {} (see --help)\n", why);
  return kUsageError;
}

void add_options(CLI::App& app, Options& options, Flags& flags) {
  app.add_flag("-t");
  app.add_flag("-a", flags.all);
  app.add_flag("-l", flags.listening);
  app.add_flag("-n", options.rows.numeric);
  app.add_flag("-4", flags.v4);
  app.add_flag("-6", flags.v6);
  app.add_flag("-i", options.rows.info);
  app.add_flag("-e", options.rows.extended);
  app.add_flag("-o", options.rows.timers);
  app.add_flag("-m", options.rows.memory);
  app.add_flag("-p", options.rows.process);
  app.add_flag("-s", options.summary);
  app.add_flag("-K", options.kill);
  app.add_flag("-w", options.watch);
  app.add_option("--interval", options.interval_s)->check(CLI::Range(0.1, 3600.0));
  app.add_flag("-H", [&](std::int64_t) { options.header = false; });
  app.add_flag("-j,--json", options.json);
  app.add_option("--file-prefix", options.file_prefix);
  app.add_option("filter", flags.words);
}

States states_for(const Flags& flags) {
  if (flags.all) return all_states();
  return flags.listening ? listening_states() : default_states();
}

class OfFamily final : public Expression {
 public:
  OfFamily(bool v4, std::shared_ptr<const Expression> inner) : v4_(v4), inner_(std::move(inner)) {}
  bool holds(const app::Socket& socket) const override {
    return socket.local.address.is_v4() == v4_ && (!inner_ || inner_->holds(socket));
  }

 private:
  bool v4_;
  std::shared_ptr<const Expression> inner_;
};

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  Flags flags;
  CLI::App app;
  app.formatter_fn([](const CLI::App*, std::string, CLI::AppFormatMode) { return kHelp; });
  app.set_version_flag("-V,--version", "tern-ss (Tern) " TERN_VERSION);
  add_options(app, options, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return mistake(error.what());
  }
  if (options.kill && flags.words.empty())
    return mistake("-K closes what a filter selects, and there is none: e.g. dst 10.0.1.2:47762");
  auto filter = parse_filter(flags.words, states_for(flags));
  if (!filter.ok()) return mistake(std::string(filter.status().message()));
  options.filter = *std::move(filter);
  if (flags.v4 != flags.v6)
    options.filter.expression = std::make_shared<OfFamily>(flags.v4, options.filter.expression);
  return options;
}

}  // namespace ss
