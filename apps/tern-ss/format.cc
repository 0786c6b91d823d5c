// SPDX-License-Identifier: BSD-3-Clause
#include "format.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <utility>

namespace ss {

namespace {

using app::Socket;
using tern::TcpState;

constexpr std::size_t kRowsThatSettleWidths = 200;

std::uint64_t number(const nlohmann::json& details, const char* name) {
  return details.value(name, std::uint64_t{0});
}

std::string port_text(std::uint16_t port, bool numeric) {
  if (port == 0) return "*";
  if (!numeric)
    if (const servent* service = ::getservbyport(htons(port), "tcp")) return service->s_name;
  return std::to_string(port);
}

std::string address_text(const tern::IpAddress& address) {
  return address.is_v4() ? to_string(address) : fmt::format("[{}]", to_string(address));
}

// 28 s, 1.5 s, 200 ms, as ss writes them: "28sec", "1.500ms" is ss's own quirk and not repeated.
std::string duration_text(std::uint64_t us) {
  if (us >= 60'000'000) return fmt::format("{}min{}sec", us / 60'000'000, us / 1'000'000 % 60);
  if (us >= 10'000'000) return fmt::format("{}sec", us / 1'000'000);
  if (us >= 1'000'000) return fmt::format("{:.1f}sec", static_cast<double>(us) / 1e6);
  return fmt::format("{}ms", us / 1000);
}

}  // namespace

std::string_view state_word(TcpState state) {
  switch (state) {
    case TcpState::kEstablished:
      return "ESTAB";
    case TcpState::kSynReceived:
      return "SYN-RECV";
    case TcpState::kClosed:
      return "UNCONN";
    default:
      return to_string(state);
  }
}

std::string timer_text(const nlohmann::json& details) {
  const std::string timer = details.value("timer", "");
  if (timer.empty()) return "";
  return fmt::format(" timer:({},{},{})", timer, duration_text(number(details, "timer_us")),
                     number(details, "backoffs"));
}

std::string memory_text(const Socket& socket, const RowOwner& owner) {
  return fmt::format(" skmem:(r{},rb{},t0,tb{},f0,w{},o0,bl0,d0)", socket.receive_queue,
                     owner.receive_buffer, owner.send_buffer, socket.send_queue);
}

std::string info_text(const nlohmann::json& d) {
  if (!d.contains("mss")) return "";
  std::string text;
  const std::uint64_t mss = std::max<std::uint64_t>(number(d, "mss"), 1);
  if (number(d, "timestamps")) text += " ts";
  if (number(d, "sack")) text += " sack";
  if (d.contains("congestion")) text += fmt::format(" {}", d.value("congestion", ""));
  if (number(d, "window_scaling"))
    text += fmt::format(" wscale:{},{}", number(d, "snd_wscale"), number(d, "rcv_wscale"));
  text += fmt::format(" rto:{}", number(d, "rto_us") / 1000);
  if (const std::uint64_t backoff = number(d, "time_outs"))
    text += fmt::format(" backoff:{}", backoff);
  if (number(d, "srtt_us"))
    text += fmt::format(" rtt:{}/{}", static_cast<double>(number(d, "srtt_us")) / 1000,
                        static_cast<double>(number(d, "rttvar_us")) / 1000);
  text += fmt::format(" mss:{} cwnd:{}", mss, number(d, "cwnd") / mss);
  constexpr std::uint64_t kNoThreshold = 0x7fffffff;
  if (const std::uint64_t ssthresh = number(d, "ssthresh"); ssthresh < kNoThreshold)
    text += fmt::format(" ssthresh:{}", ssthresh / mss);
  if (const std::uint64_t flight = number(d, "flight"))
    text += fmt::format(" unacked:{}", (flight + mss - 1) / mss);
  if (const std::uint64_t repeated = number(d, "retransmitted"))
    text += fmt::format(" retrans:{}/{}", std::min(number(d, "time_outs"), repeated), repeated);
  for (const auto& [label, name] : {std::pair{"bytes_acked", "bytes_acked"},
                                    {"bytes_received", "bytes_received"},
                                    {"snd_wnd", "snd_wnd"},
                                    {"rcv_wnd", "rcv_wnd"}})
    if (const std::uint64_t value = number(d, name)) text += fmt::format(" {}:{}", label, value);
  return text;
}

Table::Table(const RowOptions& options, bool header, Print print)
    : options_(options), print_(std::move(print)), pending_header_(header) {
  widen({{"State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"}, "", ""});
}

void Table::widen(const Row& row) {
  for (std::size_t i = 0; i < kColumns; ++i) widths_[i] = std::max(widths_[i], row.cells[i].size());
}

void Table::add(const Socket& socket, const RowOwner& owner) {
  Row row{{std::string(state_word(socket.state)), std::to_string(socket.receive_queue),
           std::to_string(socket.send_queue), address_text(socket.local.address),
           port_text(socket.local.port, options_.numeric), address_text(socket.peer.address),
           port_text(socket.peer.port, options_.numeric)},
          "",
          ""};
  if (options_.process)
    row.tail += fmt::format(" users:((\"{}\",pid={}))", owner.program, owner.pid);
  if (options_.extended || options_.timers) row.tail += timer_text(socket.details);
  if (options_.extended && number(socket.details, "user_data"))
    row.tail += fmt::format(" user:{:#x}", number(socket.details, "user_data"));
  if (options_.memory) row.details += memory_text(socket, owner);
  if (options_.info) row.details += info_text(socket.details);
  if (settled_) return print(row);
  widen(row);
  first_rows_.push_back(std::move(row));
  if (first_rows_.size() == kRowsThatSettleWidths) flush();
}

void Table::flush() {
  settled_ = true;
  if (std::exchange(pending_header_, false))
    print({{"State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"},
           options_.process ? " Process" : "",
           ""});
  for (const Row& row : std::exchange(first_rows_, {})) print(row);
}

// As ss: addresses stand right at their colon, everything else left.
void Table::print(const Row& row) const {
  const auto& c = row.cells;
  const auto& w = widths_;
  std::string line =
      fmt::format("{:<{}} {:<{}} {:<{}} {:>{}}:{:<{}} {:>{}}:{:<{}}", c[0], w[0], c[1], w[1], c[2],
                  w[2], c[3], w[3], c[4], w[4], c[5], w[5], c[6], w[6]);
  line += row.tail;
  if (options_.one_line) line += row.details;
  line.erase(line.find_last_not_of(' ') + 1);
  print_(line);
  if (!row.details.empty() && !options_.one_line) print_("\t" + row.details);
}

}  // namespace ss
