// SPDX-License-Identifier: BSD-3-Clause
#include "summary.h"

#include <fmt/format.h>

namespace ss {

namespace {

using nlohmann::json;

std::uint64_t number(const json& object, const char* name) {
  return object.value(name, std::uint64_t{0});
}

std::string states_line(const json& usage) {
  std::string line;
  for (const char* state : {"syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2",
                            "close_wait", "closing", "last_ack"}) {
    const std::string key = std::string("state_") + state;
    const std::uint64_t count = number(usage, key.c_str());
    std::string word = state;
    for (char& c : word) c = c == '_' ? '-' : c;
    if (count > 0) line += fmt::format("{}{} {}", line.empty() ? "" : ", ", word, count);
  }
  if (const std::uint64_t waiting = number(usage, "time_wait"); waiting > 0)
    line += fmt::format("{}time-wait {}", line.empty() ? "" : ", ", waiting);
  return line.empty() ? "none" : line;
}

}  // namespace

std::string summary_text(const json& usage, const json& stats, const json& config) {
  const std::uint64_t connections = number(usage, "connections"),
                      waiting = number(usage, "time_wait");
  std::string text = fmt::format("{} (pid {}) at {}\n", config.value("program", "?"),
                                 number(config, "pid"), config.value("address", "?"));
  text += fmt::format("Total: {}\n", connections + waiting);
  text +=
      fmt::format("TCP:   {} (estab {}, synrecv {}, timewait {})\n", connections + waiting,
                  number(usage, "state_established"), number(usage, "state_syn_received"), waiting);
  text += fmt::format("By state:   {}\n", states_line(usage));
  text += fmt::format(
      "Room:       {} of {} connections ({} SYNs refused), {} of {} TIME-WAIT records\n",
      connections, number(config, "max_connections"), number(stats, "drop_tcp_no_connection"),
      waiting, number(config, "max_time_wait"));
  text += fmt::format("Half-open:  {} of {} in the SYN cache, {} given up, {} without a place\n",
                      number(usage, "half_open"), number(usage, "syn_cache_entries"),
                      number(stats, "half_open_expired"), number(stats, "drop_tcp_half_open_full"));
  text += fmt::format("Cookies:    {} sent, {} accepted, {} rejected\n",
                      number(usage, "syn_cookies_sent"), number(usage, "syn_cookies_accepted"),
                      number(usage, "syn_cookies_rejected"));
  text +=
      number(usage, "syn_flood") != 0
          ? fmt::format("SYN flood:  under way for {} s\n", number(usage, "syn_flood_ms") / 1000)
          : fmt::format("SYN flood:  none now, {} so far\n", number(stats, "syn_floods"));
  return text;
}

}  // namespace ss
