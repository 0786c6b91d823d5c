// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/telemetry.h"

#include <rte_cycles.h>
#include <rte_telemetry.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "runtime/telemetry_answer.h"
#include "tern/stats.h"

namespace tern::runtime {

namespace {

constexpr std::chrono::milliseconds kPatience{1000};
// Entries of a page: with the longest names and numbers they stay below DPDK's 16 KiB, and a worker
// needs some 10 us for one.
constexpr std::size_t kBriefSockets = 80;
constexpr std::size_t kFullSockets = 24;
constexpr std::size_t kCountersPerPage = 80;
constexpr std::size_t kNeighboursPerPage = 80;
// A cursor is the worker's number, and the position in its list.
constexpr unsigned kPositionBits = 40;
constexpr std::uint64_t kPositionMask = (1ull << kPositionBits) - 1;

// DPDK calls back without an argument, from threads of its own.
std::mutex serving;
Telemetry* current = nullptr;

// The next of the parameters, which are divided by commas; takes it off.
std::string_view next_of(std::string_view& parameters) {
  const std::string_view first = parameters.substr(0, parameters.find(','));
  parameters.remove_prefix(std::min(parameters.size(), first.size() + 1));
  return first;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  if (text.empty()) return 0;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "10.0.2.2:9999" or "[fd00::2]:9999".
std::optional<Endpoint> endpoint_in(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  const auto ip = IpAddress::parse(address);
  const auto port = number_in(text.substr(colon + 1));
  if (!ip || !port || *port == 0 || *port > 65535) return std::nullopt;
  return Endpoint{*ip, static_cast<std::uint16_t>(*port)};
}

// Of several workers: under attack if one of them is, for as long as the first has been.
void add_to(SynFlood& sum, const SynFlood& more) {
  if (more.active) sum.since = sum.active ? std::min(sum.since, more.since) : more.since;
  sum.active |= more.active;
  sum.half_open += more.half_open;
  sum.cache_entries += more.cache_entries;
  sum.cookies_sent += more.cookies_sent;
  sum.cookies_accepted += more.cookies_accepted;
  sum.cookies_rejected += more.cookies_rejected;
}

std::uint64_t cycles(Duration duration) {
  const auto ns = static_cast<unsigned __int128>(duration.count());
  return static_cast<std::uint64_t>(ns * rte_get_tsc_hz() / 1'000'000'000);
}

}  // namespace

Telemetry::Telemetry(TelemetryFacts facts, std::vector<Worker*> workers, Captures& captures)
    : facts_(std::move(facts)), workers_(std::move(workers)), captures_(captures) {
  for (Worker* worker : workers_)
    pagers_.push_back(std::make_unique<SocketPager>(worker->mailbox(), worker->stack()));
  const std::lock_guard lock(serving);
  current = this;
  static std::once_flag registered;
  std::call_once(registered, register_commands);
}

// Waits for an answer that is being made: the workers may go afterwards.
Telemetry::~Telemetry() {
  const std::lock_guard lock(serving);
  current = nullptr;
}

template <Telemetry::Answer kAnswer>
int Telemetry::serve(const char*, const char* parameters, rte_tel_data* out) {
  const std::lock_guard lock(serving);
  if (current == nullptr) return -ENOENT;
  return (current->*kAnswer)(parameters == nullptr ? "" : parameters, out);
}

void Telemetry::register_commands() {
  struct Command {
    const char* name;
    telemetry_cb serve;
    const char* help;
  };
  for (const Command& command : {
           Command{"/tern/config", serve<&Telemetry::config>, "What runs here, with what settings"},
           Command{"/tern/stats", serve<&Telemetry::stats>, "Counters. Parameter: [worker]"},
           Command{"/tern/counters", serve<&Telemetry::counters>,
                   "Unit and sentence of each counter. Parameter: [from]"},
           Command{"/tern/usage", serve<&Telemetry::usage>, "What the stacks hold now"},
           Command{"/tern/workers", serve<&Telemetry::workers>, "Cycles and bursts per worker"},
           Command{"/tern/sockets", serve<&Telemetry::sockets>,
                   "A page of sockets. Parameters: [cursor[,full]]"},
           Command{"/tern/neighbours", serve<&Telemetry::neighbours>,
                   "A page of neighbours. Parameter: [from]"},
           Command{"/tern/close", serve<&Telemetry::close>,
                   "Aborts connections. Parameters: local,remote[,...]"},
           Command{"/tern/capture", serve<&Telemetry::capture>,
                   "pcapng to a named pipe. Parameters: path[,filter]"},
           Command{"/tern/captures", serve<&Telemetry::captures>, "Frames written and lost"},
       })
    rte_telemetry_register_cmd(command.name, command.serve, command.help);
}

// `function(Worker&)` runs in the worker's thread.
template <class F>
int Telemetry::ask(std::size_t worker, F&& function) {
  Worker& w = *workers_[worker];
  return w.mailbox().ask([&] { function(w); }, kPatience) == AskResult::kDone ? 0 : -ETIMEDOUT;
}

template <class F>
int Telemetry::ask_all(F&& function) {
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (const int error = ask(i, function)) return error;
  return 0;
}

int Telemetry::config(std::string_view, rte_tel_data* out) {
  StackConfig config;
  if (const int error = ask(0, [&](Worker& w) { config = w.stack().config(); })) return error;
  AnswerObject answer(out);
  answer.add("program", facts_.program);
  answer.add("pid", static_cast<std::uint64_t>(::getpid()));
  answer.add("workers", workers_.size());
  answer.add("device", facts_.device);
  answer.add("driver", facts_.driver);
  answer.add("mac", to_string(facts_.mac));
  answer.add("mtu", facts_.mtu);
  answer.add("tsc_hz", rte_get_tsc_hz());
  add_config(config, answer);
  return 0;
}

int Telemetry::stats(std::string_view parameters, rte_tel_data* out) {
  Counters sum;
  const auto add = [&](Worker& w) { sum += w.stack().counters(); };
  const auto worker = number_in(parameters);
  if (!worker || *worker >= workers_.size()) return -EINVAL;
  if (const int error = parameters.empty() ? ask_all(add) : ask(*worker, add)) return error;
  AnswerObject answer(out);
  for (const CounterInfo& info : counter_infos())
    answer.add(std::string(info.name), sum.*info.member);
  return 0;
}

int Telemetry::counters(std::string_view parameters, rte_tel_data* out) {
  const auto all = counter_infos();
  const auto from = number_in(parameters);
  if (!from || *from > all.size()) return -EINVAL;
  AnswerObject answer(out);
  for (const CounterInfo& info :
       all.subspan(*from, std::min<std::size_t>(kCountersPerPage, all.size() - *from)))
    answer.add(std::string(info.name), std::string(info.unit) + ": " + std::string(info.sentence));
  return 0;
}

int Telemetry::usage(std::string_view, rte_tel_data* out) {
  StackUsage sum;
  SynFlood flood;
  const auto add = [&](Worker& w) {
    sum += w.stack().usage();
    add_to(flood, w.stack().syn_flood());
  };
  if (const int error = ask_all(add)) return error;
  AnswerObject answer(out);
  add_usage(sum, answer);
  add_flood(flood, workers_[0]->now(), answer);
  return 0;
}

int Telemetry::workers(std::string_view, rte_tel_data* out) {
  AnswerObject answer(out);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    WorkerUsage usage;
    Counters counters;
    const auto copy = [&](Worker& w) { usage = w.usage(), counters = w.stack().counters(); };
    if (const int error = ask(i, copy)) return error;
    answer.add_object(std::to_string(i), [&](AnswerObject& worker) {
      worker.add("polls", usage.polls);
      worker.add("busy_polls", usage.busy_polls);
      worker.add("busy_cycles", cycles(usage.busy));
      worker.add("idle_cycles", cycles(usage.idle));
      worker.add("rx_bursts", counters.rx_bursts);
      worker.add("rx_frames", counters.rx_frames);
      worker.add("rx_bytes", counters.rx_bytes);
      worker.add("tx_bursts", counters.tx_bursts);
      worker.add("tx_frames", counters.tx_frames);
      worker.add("tx_bytes", counters.tx_bytes);
    });
  }
  return 0;
}

int Telemetry::sockets(std::string_view parameters, rte_tel_data* out) {
  const auto cursor = number_in(next_of(parameters));
  if (!cursor || (!parameters.empty() && parameters != "full")) return -EINVAL;
  const bool full = !parameters.empty();
  std::uint64_t worker = *cursor >> kPositionBits;
  if (worker >= workers_.size()) return -EINVAL;
  std::vector<ConnectionInfo> page;
  page.reserve(kBriefSockets);
  std::uint64_t position = *cursor & kPositionMask;
  if (pagers_[worker]->next(position, full ? kFullSockets : kBriefSockets, page, kPatience) !=
      AskResult::kDone)
    return -ETIMEDOUT;
  // Every worker listens at the same ports.
  if (worker > 0) std::erase_if(page, [](const auto& s) { return s.state == TcpState::kListen; });
  if (position == 0) ++worker;
  AnswerObject answer(out);
  answer.add("next", worker == workers_.size() ? 0 : worker << kPositionBits | position);
  for (std::size_t i = 0; i < page.size(); ++i)
    answer.add_object(std::to_string(i),
                      [&](AnswerObject& object) { add_socket(page[i], full, object); });
  return 0;
}

int Telemetry::neighbours(std::string_view parameters, rte_tel_data* out) {
  const auto from = number_in(parameters);
  if (!from) return -EINVAL;
  std::vector<NeighbourInfo> all;
  const auto take = [&](Worker& w) { w.stack().list_neighbours(all); };
  if (const int error = ask_all(take)) return error;
  const std::size_t begin = std::min<std::size_t>(*from, all.size());
  const std::size_t end = std::min(begin + kNeighboursPerPage, all.size());
  AnswerObject answer(out);
  answer.add("next", end == all.size() ? 0 : end);
  for (std::size_t i = begin; i < end; ++i)
    answer.add_object(std::to_string(i - begin),
                      [&](AnswerObject& object) { add_neighbour(all[i], object); });
  return 0;
}

int Telemetry::close(std::string_view parameters, rte_tel_data* out) {
  struct Pair {
    Endpoint local, remote;
    bool closed = false;
  };
  std::vector<Pair> pairs;
  do {
    const auto local = endpoint_in(next_of(parameters)), remote = endpoint_in(next_of(parameters));
    if (!local || !remote) return -EINVAL;
    pairs.push_back({*local, *remote});
  } while (!parameters.empty());
  const auto abort = [&](Worker& w) {
    for (Pair& pair : pairs) pair.closed |= w.stack().abort(pair.local, pair.remote);
  };
  if (const int error = ask_all(abort)) return error;
  AnswerObject answer(out);
  answer.add("closed",
             static_cast<std::uint64_t>(std::count_if(
                 pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.closed; })));
  for (std::size_t i = 0; i < pairs.size(); ++i)
    answer.add(std::to_string(i), std::uint64_t{pairs[i].closed});
  return 0;
}

int Telemetry::capture(std::string_view parameters, rte_tel_data* out) {
  const std::string path(next_of(parameters));
  const absl::Status status = captures_.attach_pipe(path, std::string(parameters));
  AnswerObject answer(out);
  answer.add("interface", facts_.device);
  if (status.ok()) return 0;
  answer.add("error", std::string(status.message()));
  answer.add("mistake", absl::IsInvalidArgument(status));
  return 0;
}

int Telemetry::captures(std::string_view, rte_tel_data* out) {
  AnswerObject answer(out);
  std::size_t number = 0;
  for (const CaptureCount& count : captures_.counts())
    answer.add_object(std::to_string(number++), [&](AnswerObject& capture) {
      capture.add("target", count.target);
      capture.add("frames_written", count.written);
      capture.add("frames_lost", count.lost);
    });
  return 0;
}

}  // namespace tern::runtime
