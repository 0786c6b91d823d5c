// SPDX-License-Identifier: BSD-3-Clause
#include "report.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "percentile_text.h"

namespace bench {

namespace {

constexpr std::array<double, 6> kPercentiles = {50, 90, 99, 99.9, 99.99, 100};

double seconds_of(tern::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Rates between two snapshots.
class Interval {
 public:
  Interval(const Snapshot& before, const Snapshot& after, std::uint64_t cycles_per_second)
      : before_(before), after_(after), hz_(static_cast<double>(cycles_per_second)) {}

  double seconds() const { return seconds_of(after_.at - before_.at); }
  double busy() const { return seconds_of(after_.busy - before_.busy); }
  std::uint64_t count(std::uint64_t Totals::*member) const {
    return after_.totals.*member - before_.totals.*member;
  }
  std::uint64_t count(std::uint64_t tern::Counters::*member) const {
    return after_.counters.*member - before_.counters.*member;
  }
  double rate(std::uint64_t Totals::*member) const { return per_second(count(member)); }
  double per_second(std::uint64_t n) const {
    return seconds() > 0 ? static_cast<double>(n) / seconds() : 0;
  }
  double gigabits(std::uint64_t Totals::*member) const { return rate(member) * 8e-9; }
  double busy_cycles_per(std::uint64_t Totals::*member) const {
    const auto n = static_cast<double>(count(member));
    return n > 0 ? busy() * hz_ / n : 0;
  }

 private:
  const Snapshot& before_;
  const Snapshot& after_;
  double hz_;
};

// What went wrong, on lines of their own: "          drop_tcp_checksum 3, drop_arp 1", or nothing.
std::string troubles(const Interval& interval) {
  constexpr std::size_t kWidth = 100;
  const std::string indent(10, ' ');
  std::string text, line;
  const auto add = [&](std::string_view name, std::uint64_t n) {
    if (n == 0) return;
    const std::string item = fmt::format("{} {}", name, n);
    if (!line.empty() && indent.size() + line.size() + 3 + item.size() > kWidth) {
      text += indent + line + ",\n";
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + item;
  };
  add("failed", interval.count(&Totals::failures));
  add("retransmitted", interval.count(&tern::Counters::retransmitted));
  for (const tern::CounterInfo& info : tern::counter_infos())
    if (info.is_drop) add(info.name, interval.count(info.member));
  return line.empty() ? text : text + indent + line + '\n';
}

// By the connection where each asks but once: the requests are not what costs then.
std::string cycles(const Interval& interval) {
  const std::uint64_t requests = interval.count(&Totals::requests);
  if (const std::uint64_t closed = interval.count(&Totals::closed);
      closed > 0 && closed >= requests)
    return fmt::format(" {:.0f} cycles/conn", interval.busy_cycles_per(&Totals::closed));
  if (requests == 0) return {};
  return fmt::format(" {:.0f} cycles/req", interval.busy_cycles_per(&Totals::requests));
}

// "28.48", "8105": from a millisecond on the hundredths are noise.
std::string microseconds(double ns) { return fmt::format("{:.{}f}", ns / 1e3, ns < 1e6 ? 2 : 0); }

nlohmann::ordered_json latency_json(const tern::Histogram& latency) {
  nlohmann::ordered_json json;
  json["what"] = "round trip";
  json["count"] = latency.count();
  json["min_us"] = static_cast<double>(latency.min()) / 1e3;
  json["mean_us"] = latency.mean() / 1e3;
  for (const double p : kPercentiles)
    json[p == 100 ? "max_us" : fmt::format("p{}_us", p)] =
        static_cast<double>(latency.percentile(p)) / 1e3;
  return json;
}

nlohmann::ordered_json counters_json(const Interval& interval, bool drops) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const tern::CounterInfo& info : tern::counter_infos())
    if (const std::uint64_t n = interval.count(info.member); n > 0 && info.is_drop == drops)
      json[std::string(info.name)] = n;
  return json;
}

}  // namespace

Snapshot& Snapshot::operator+=(const Snapshot& other) {
  for (const auto member : {&Totals::requests, &Totals::opened, &Totals::closed, &Totals::failures,
                            &Totals::bytes_in, &Totals::bytes_out})
    totals.*member += other.totals.*member;
  for (const tern::CounterInfo& info : tern::counter_infos())
    counters.*info.member += other.counters.*info.member;
  busy += other.busy;
  return *this;
}

Report::Report(const Options& options, std::uint64_t cycles_per_second)
    : options_(options), cycles_per_second_(cycles_per_second) {
  json_ = open(options.json_path);
  csv_ = open(options.csv_path);
  histogram_ = open(options.histogram_path);
  if (csv_)
    fmt::print(csv_.get(),
               "seconds,phase,requests_per_s,opened_per_s,closed_per_s,failures,rx_gbit_per_s,"
               "tx_gbit_per_s,retransmitted,drops,busy,cycles_per_request\n");
}

Report::File Report::open(const std::string& path) {
  if (path.empty()) return {};
  if (path == "-") return File(stdout);
  File file(std::fopen(path.c_str(), "w"));
  if (!file && error_.empty())
    error_ = fmt::format("cannot write {}: {}", path, std::strerror(errno));
  return file;
}

void Report::line(const Snapshot& before, const Snapshot& after, std::string_view phase) {
  if (!has_first_) first_ = before.at;
  has_first_ = true;
  if (csv_) csv_line(before, after, phase);
  if (options_.quiet) return;
  const Interval i(before, after, cycles_per_second_);
  fmt::print(
      "{:5.1f} s {:>7} {:8.0f} req/s {:7.0f} conn/s rx {:6.3f} tx {:6.3f} Gb/s {:3.0f}% busy{}\n{}",
      seconds_of(after.at - first_), phase, i.rate(&Totals::requests), i.rate(&Totals::opened),
      i.gigabits(&Totals::bytes_in), i.gigabits(&Totals::bytes_out),
      i.seconds() > 0 ? 100 * i.busy() / i.seconds() : 0, cycles(i), troubles(i));
  std::fflush(stdout);
}

void Report::csv_line(const Snapshot& before, const Snapshot& after, std::string_view phase) {
  const Interval i(before, after, cycles_per_second_);
  std::uint64_t dropped = 0;
  for (const tern::CounterInfo& info : tern::counter_infos())
    dropped += info.is_drop ? i.count(info.member) : 0;
  fmt::print(csv_.get(), "{:.3f},{},{:.0f},{:.0f},{:.0f},{},{:.4f},{:.4f},{},{},{:.4f},{:.1f}\n",
             seconds_of(after.at - first_), phase, i.rate(&Totals::requests),
             i.rate(&Totals::opened), i.rate(&Totals::closed), i.count(&Totals::failures),
             i.gigabits(&Totals::bytes_in), i.gigabits(&Totals::bytes_out),
             i.count(&tern::Counters::retransmitted), dropped,
             i.seconds() > 0 ? i.busy() / i.seconds() : 0, i.busy_cycles_per(&Totals::requests));
  std::fflush(csv_.get());
}

// From the first byte's departure to the last one's return: never half of it, whatever others
// print.
void Report::print_latency(const tern::Histogram& latency) const {
  std::string text;
  for (const double p : kPercentiles)
    text += fmt::format("  {} {}", p == 100 ? "max" : fmt::format("p{}", p),
                        microseconds(static_cast<double>(latency.percentile(p))));
  fmt::print("round trip, us:{}\n          mean {} ({} {})\n", text, microseconds(latency.mean()),
             latency.count(),
             options_.is_open_loop() ? "requests, from when each was meant to leave" : "requests");
}

void Report::result(const Result& result) {
  const Interval i(result.begin, result.end, cycles_per_second_);
  if (!options_.quiet) {
    fmt::print("--- {:.3f} s\n", i.seconds());
    line(result.begin, result.end, "result");
    if (result.latency.count() > 0) print_latency(result.latency);
    if (result.backlog > 0)
      fmt::print("{} requests were due and had not left: the rate is not reached\n",
                 result.backlog);
    for (const auto& [name, value] : result.facts)  // most are whole numbers
      fmt::print("{} {:.{}f}\n", name, value, value == std::floor(value) ? 0 : 3);
    std::fflush(stdout);
  }
  if (histogram_) fmt::print(histogram_.get(), "{}", percentile_text(result.latency, 1e3));
  if (!json_) return;
  nlohmann::ordered_json json;
  json["role"] = options_.is_server ? "server" : options_.is_raw ? "raw client" : "client";
  if (!options_.is_server) {
    json["mode"] = std::string(to_string(options_.mode));
    json["loop"] = options_.is_open_loop() ? "open" : "closed";
    json["connections"] = options_.connections;
  }
  json["size"] = options_.size;
  json["workers"] = result.workers;
  json["seconds"] = i.seconds();
  json["requests"] = i.count(&Totals::requests);
  json["requests_per_s"] = i.rate(&Totals::requests);
  json["opened_per_s"] = i.rate(&Totals::opened);
  json["closed_per_s"] = i.rate(&Totals::closed);
  json["failures"] = i.count(&Totals::failures);
  json["backlog"] = result.backlog;
  json["rx_gbit_per_s"] = i.gigabits(&Totals::bytes_in);
  json["tx_gbit_per_s"] = i.gigabits(&Totals::bytes_out);
  json["busy"] = i.seconds() > 0 ? i.busy() / i.seconds() / result.workers : 0;
  json["cycles_per_second"] = cycles_per_second_;
  json["busy_cycles_per_request"] = i.busy_cycles_per(&Totals::requests);
  json["busy_cycles_per_connection"] = i.busy_cycles_per(&Totals::closed);
  if (result.latency.count() > 0) json["latency"] = latency_json(result.latency);
  json["counters"] = counters_json(i, false);
  json["drops"] = counters_json(i, true);
  for (const auto& [name, value] : result.facts) json[name] = value;
  for (const tern::MemoryRow& row : result.memory)
    json["memory"].push_back(
        {{"what", row.what}, {"count", row.count}, {"bytes_each", row.bytes_each}});
  fmt::print(json_.get(), "{}\n", json.dump(2));
  std::fflush(json_.get());
}

}  // namespace bench
