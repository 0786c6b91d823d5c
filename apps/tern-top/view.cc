// SPDX-License-Identifier: BSD-3-Clause
#include "view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace top {

namespace {

using nlohmann::json;

constexpr std::size_t kColumns = 80;

// 1234567 as "1.23 M": four figures at most.
std::string short_number(double value) {
  for (const char* unit : {"", " k", " M", " G"}) {
    if (value < 999.5)
      return fmt::format("{:.{}f}{}", value,
                         *unit == '\0' || value >= 99.95 ? 0
                         : value < 9.995                 ? 2
                                                         : 1,
                         unit);
    value /= 1000;
  }
  return fmt::format("{:.0f} T", value);
}

class Rates {
 public:
  Rates(const Sample& before, const Sample& now)
      : before_(before),
        now_(now),
        seconds_(std::max(1e-3, std::chrono::duration<double>(now.time - before.time).count())) {}

  double of(const std::string& counter) const {
    return per_second(number(before_.stats, counter), number(now_.stats, counter));
  }
  double per_second(std::uint64_t from, std::uint64_t to) const {
    return to > from ? static_cast<double>(to - from) / seconds_ : 0;
  }

 private:
  const Sample& before_;
  const Sample& now_;
  double seconds_;
};

std::string fit(std::string line) {
  if (line.size() > kColumns) line.resize(kColumns);
  return line + "\n";
}

std::string traffic_lines(const Rates& rates) {
  const auto line = [&](const char* name, const std::string& prefix) {
    const double frames = rates.of(prefix + "_frames"), bursts = rates.of(prefix + "_bursts");
    std::string bits = short_number(8 * rates.of(prefix + "_bytes"));
    if (bits.find(' ') == std::string::npos) bits += ' ';
    return fit(fmt::format("{}  {:>8} frames/s  {:>8}b/s  {:5.1f} a burst", name,
                           short_number(frames), bits, bursts > 0 ? frames / bursts : 0.0));
  };
  return line("in ", "rx") + line("out", "tx");
}

std::string tcp_lines(const Sample& now, const Rates& rates) {
  std::string text =
      fit(fmt::format("tcp  {} connections, {} half-open, {} TIME-WAIT; {}/s opened, {}/s closed",
                      number(now.usage, "connections"), number(now.usage, "half_open"),
                      number(now.usage, "time_wait"), short_number(rates.of("established")),
                      short_number(rates.of("closed"))));
  text += fit(fmt::format("     {}/s retransmitted, {}/s time-outs, {}/s resets in, {}/s out",
                          short_number(rates.of("retransmitted")),
                          short_number(rates.of("rto_timeouts")), short_number(rates.of("rst_in")),
                          short_number(rates.of("rst_out"))));
  if (number(now.usage, "syn_flood") != 0)
    text += fit(fmt::format("     SYN FLOOD for {} s: {}/s cookies sent",
                            number(now.usage, "syn_flood_ms") / 1000,
                            short_number(rates.of("syn_cookies_sent"))));
  return text;
}

std::string worker_lines(const Sample& before, const Sample& now, const Rates& rates) {
  std::string text;
  for (const auto& [name, worker] : now.workers.items()) {
    const json old = before.workers.value(name, json::object());
    const auto rate = [&, &present = worker](const char* what) {
      return rates.per_second(number(old, what), number(present, what));
    };
    const double busy = rate("busy_cycles"), all = busy + rate("idle_cycles");
    text += fit(fmt::format("core {:<2} {:5.1f} % busy  {:>8} polls/s  {:>8} in/s  {:>8} out/s",
                            name, all > 0 ? 100 * busy / all : 0.0, short_number(rate("polls")),
                            short_number(rate("rx_frames")), short_number(rate("tx_frames"))));
  }
  return text;
}

// Reasons that are growing come first, then those that ever counted.
std::string drop_lines(const Sample& now, const Rates& rates) {
  constexpr std::size_t kMost = 6;
  std::vector<std::pair<double, std::string>> drops;
  for (const auto& [name, value] : now.stats.items())
    if (name.starts_with("drop_") && value != 0) drops.emplace_back(rates.of(name), name);
  std::sort(drops.begin(), drops.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, drops.size()); ++i) {
    const std::string sentence = now.sentences.value(drops[i].second, "");
    text += fit(fmt::format("drop {:>8}/s  {:>10}  {}", short_number(drops[i].first),
                            number(now.stats, drops[i].second),
                            sentence.substr(std::min(sentence.size(), sentence.find(": ") + 2))));
  }
  return text;
}

std::string connection_lines(const Sample& before, const Sample& now, const Rates& rates,
                             std::size_t count) {
  std::map<std::string, std::uint64_t> old;
  const auto bytes = [](const app::Socket& s) {
    return number(s.details, "bytes_received") + number(s.details, "bytes_acked");
  };
  const auto key = [](const app::Socket& s) {
    return to_string(s.local) + " " + to_string(s.peer);
  };
  for (const app::Socket& socket : before.sockets) old[key(socket)] = bytes(socket);
  std::vector<std::pair<double, const app::Socket*>> all;
  for (const app::Socket& socket : now.sockets)
    if (socket.state != tern::TcpState::kListen)
      all.emplace_back(rates.per_second(old[key(socket)], bytes(socket)), &socket);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text = fit(
      fmt::format("{:<11} {:>22} {:>22} {:>8}  {:>9}", "State", "Local", "Peer", "B/s", "RTT ms"));
  for (std::size_t i = 0; i < std::min(count, all.size()); ++i) {
    const app::Socket& s = *all[i].second;
    text += fit(fmt::format("{:<11} {:>22} {:>22} {:>8}  {:>9.3f}", std::string(to_string(s.state)),
                            to_string(s.local), to_string(s.peer), short_number(all[i].first),
                            static_cast<double>(number(s.details, "srtt_us")) / 1000));
  }
  if (now.more_sockets) text += fit(fmt::format("(of the first {} sockets)", now.sockets.size()));
  return text;
}

std::string labels(const Sample& sample) {
  return fmt::format("program=\"{}\",pid=\"{}\"", sample.program, sample.pid);
}

std::string metric_lines(const std::vector<Sample>& samples, const json Sample::*answer,
                         const std::string& name, const std::string& metric,
                         const std::string& type, const std::string& help) {
  std::string text = fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric, help, metric, type);
  for (const Sample& sample : samples)
    text += fmt::format("{}{{{}}} {}\n", metric, labels(sample), number(sample.*answer, name));
  return text;
}

std::string worker_metrics(const std::vector<Sample>& samples) {
  std::string text;
  for (const char* name : {"polls", "busy_polls", "busy_cycles", "idle_cycles"}) {
    text += fmt::format(
        "# HELP tern_worker_{0}_total of a worker's loop\n# TYPE tern_worker_{0}_total counter\n",
        name);
    for (const Sample& sample : samples)
      for (const auto& [worker, values] : sample.workers.items())
        text += fmt::format("tern_worker_{}_total{{{},worker=\"{}\"}} {}\n", name, labels(sample),
                            worker, number(values, name));
  }
  return text;
}

}  // namespace

std::string view_text(const Sample& before, const Sample& now, std::size_t connections) {
  const Rates rates(before, now);
  return fit(fmt::format("{} (pid {}) at {} on {}", now.program, now.pid,
                         now.config.value("address", "?"), now.config.value("device", "?"))) +
         traffic_lines(rates) + tcp_lines(now, rates) + worker_lines(before, now, rates) +
         drop_lines(now, rates) + connection_lines(before, now, rates, connections);
}

std::string prometheus_text(const std::vector<Sample>& samples) {
  std::string text;
  if (samples.empty()) return text;
  for (const auto& [name, value] : samples.front().stats.items())
    text += metric_lines(samples, &Sample::stats, name, "tern_" + name + "_total", "counter",
                         samples.front().sentences.value(name, ""));
  for (const auto& [name, value] : samples.front().usage.items())
    if (!samples.front().stats.contains(name))
      text += metric_lines(samples, &Sample::usage, name, "tern_" + name, "gauge",
                           "what the stacks hold now");
  return text + worker_metrics(samples);
}

}  // namespace top
