// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace ss {

const char* const kHelp =
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
  -K              ends what FILTER selects: connections and half-open ones with
                  a RST, TIME-WAIT without a word
  -w              again and again; --interval S (1)
  -H  -O          no header; everything of a socket on one line
  --json          an array of objects
  --file-prefix P only the process with this DPDK file prefix
  --version  --help
filter: [state WORD | exclude WORD]... [EXPRESSION], as ss has it:
  tern-ss -nt state time-wait
  tern-ss -nt '( sport = :9999 or dport = :80 ) and not dst 10.0.1.0/24'
  tern-ss -K dst 10.0.1.2:47762
ss's long options (--numeric, --summary, ...) are understood as well.
exit status: 0; 1 no Tern process is running; 2 a mistake in the command line
)";

namespace {

struct Flags {
  bool all = false, listening = false, v4 = false, v6 = false;
  std::vector<std::string> words;
};

void add_options(CLI::App& app, Options& options, Flags& flags) {
  app.add_flag("-t,--tcp");
  app.add_flag("-a,--all", flags.all);
  app.add_flag("-l,--listening", flags.listening);
  app.add_flag("-n,--numeric", options.rows.numeric);
  app.add_flag("-4,--ipv4", flags.v4);
  app.add_flag("-6,--ipv6", flags.v6);
  app.add_flag("-i,--info", options.rows.info);
  app.add_flag("-e,--extended", options.rows.extended);
  app.add_flag("-o,--options", options.rows.timers);
  app.add_flag("-m,--memory", options.rows.memory);
  app.add_flag("-p,--processes", options.rows.process);
  app.add_flag("-s,--summary", options.summary);
  app.add_flag("-K,--kill", options.kill);
  app.add_flag("-w,--watch", options.watch);
  app.add_option("--interval", options.interval_s)->check(CLI::Range(0.1, 3600.0));
  app.add_flag("-O,--oneline", options.rows.one_line);
  app.add_flag("-H,--no-header", [&](std::int64_t) { options.header = false; });
  app.add_flag("-j,--json", options.json);
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

absl::StatusOr<Options> finish(const app::WatchTool& tool, Options options, const Flags& flags) {
  if (options.kill && flags.words.empty())
    return absl::InvalidArgumentError(
        "-K closes what a filter selects, and there is none: e.g. dst 10.0.1.2:47762");
  auto filter = parse_filter(flags.words, states_for(flags));
  if (!filter.ok()) return filter.status();
  options.filter = *std::move(filter);
  if (flags.v4 != flags.v6)
    options.filter.expression = std::make_shared<OfFamily>(flags.v4, options.filter.expression);
  options.file_prefix = tool.file_prefix();
  return options;
}

}  // namespace

std::variant<Options, int> parse_options(app::WatchTool& tool, int argc, const char* const* argv) {
  Options given;
  Flags flags;
  add_options(tool.options(), given, flags);
  if (const auto status = tool.parse(argc, argv)) return *status;
  const auto options = finish(tool, given, flags);
  if (!options.ok())
    return tool.fail(std::string(options.status().message()) + " (see --help)", true);
  return *options;
}

}  // namespace ss
