// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace bench {

using tern::CloseReason;
using tern::Connection;
using tern::Errc;
using tern::Instant;

namespace {

constexpr std::size_t kFillBytes = 64 * 1024;
// After a connection could not be opened for want of something, until the next attempt.
constexpr tern::Duration kRetry = std::chrono::milliseconds(1);
// Connections that end in a turn: their RSTs wait for the device all at once.
constexpr std::uint32_t kLeavingAtOnce = 256;

std::string make_request(const Options& options) {
  if (options.mode == Mode::kHttp)
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", options.path, options.host,
                       options.close ? "Connection: close\r\n" : "");
  return std::string(options.mode == Mode::kStream ? std::max<std::size_t>(options.size, kFillBytes)
                                                   : options.size,
                     'x');
}

}  // namespace

Client::Client(const Options& options, tern::Stack& stack, std::function<Instant()> clock)
    : options_(options),
      stack_(stack),
      clock_(std::move(clock)),
      request_(make_request(options)),
      slots_(options.connections),
      parsers_(options.mode == Mode::kHttp ? options.connections : 0),
      next_to_leave_(options.connections) {
  http_parser_settings_init(&settings_);
  settings_.on_message_complete = [](http_parser* parser) {
    *static_cast<bool*>(parser->data) = true;
    return 0;
  };
  for (std::uint32_t i = options.connections; i-- > 0;)
    (connects_per_request() ? idle_ : to_open_).push_back(i);
  for (const std::uint32_t i : idle_) slots_[i].listed = true;
}

// --- connections ---

void Client::turn(Instant now) {
  open_some(now);
  if (is_running_ && schedule_) issue_due(now);
  if (is_asking_) ask_some(now);
  if (!has_left()) leave_some();
}

void Client::open_some(Instant now) {
  // Only few packets wait for an answer to ARP, so the first connection goes ahead.
  const std::uint32_t at_once = totals_.opened == 0      ? 1
                                : connects_per_request() ? options_.connections
                                                         : options_.opening;
  while (!to_open_.empty() && opening_ < at_once && now >= retry_at_ && trouble_.empty()) {
    const std::uint32_t index = to_open_.back();
    to_open_.pop_back();
    open(index);
  }
}

void Client::open(std::uint32_t index) {
  const auto c = stack_.connect({.remote = options_.remote_of(index)}, *this);
  if (!c.ok()) return open_refused(index, c.error());
  slots_[index].c = *c;
  slots_[index].c.set_user_data(index);
  slots_[index].state = State::kOpening;
  ++opening_;
}

// Ports and records come back with time, unless connections stay open.
void Client::open_refused(std::uint32_t index, Errc error) {
  ++totals_.failures;
  to_open_.push_back(index);
  retry_at_ = clock_() + kRetry;
  if (totals_.opened == 0 || !connects_per_request())
    trouble_ = fmt::format("no connection to {} after {}: {}{}", server_name(index), totals_.opened,
                           to_string(error),
                           error == Errc::kNoPorts ? "; name more ports of it, as in --port "
                                                     "10000-10099 (a server's --echo-ports)"
                                                   : "");
}

std::string Client::server_name(std::uint32_t index) const {
  return to_string(options_.remote_of(index));
}

bool Client::is_ready() const {
  return connects_per_request() || (to_open_.empty() && opening_ == 0);
}

void Client::on_established(Connection c) {
  Slot& slot = slot_of(c);
  --opening_;
  ++totals_.opened;
  if (connects_per_request()) return send_request(slot);
  slot.state = State::kIdle;
  if (options_.mode == Mode::kStream && is_running_) return fill(slot);
  rest(static_cast<std::uint32_t>(c.user_data()));
}

void Client::on_closed(Connection c, CloseReason reason) {
  Slot& slot = slot_of(c);
  const State state = std::exchange(slot.state, State::kClosed);
  if (state == State::kOpening) --opening_;
  const bool in_order =
      reason == CloseReason::kFinished && (state == State::kClosing || state == State::kIdle);
  ++(in_order ? totals_.closed : totals_.failures);
  if (is_asking_ && state == State::kWaiting) answered();
  const auto index = static_cast<std::uint32_t>(c.user_data());
  if (totals_.opened == 0)
    trouble_ = fmt::format("connecting to {}: {}", server_name(index), to_string(reason));
  if (connects_per_request()) return rest(index);
  if (is_running_) to_open_.push_back(index);
}

// The server has ended the connection, or an answer whose end is that of the connection.
void Client::on_peer_finished(Connection c) {
  Slot& slot = slot_of(c);
  if (options_.mode == Mode::kHttp && slot.state == State::kWaiting) read_http(slot, nullptr, 0);
  c.shutdown_send();
}

// --- load ---

void Client::start(Instant now) {
  is_running_ = true;
  if (options_.is_open_loop()) schedule_.emplace(options_.rate, now);
  if (options_.mode == Mode::kStream)
    for (Slot& slot : slots_) fill(slot);
  if (options_.is_open_loop() || options_.mode == Mode::kStream || options_.mode == Mode::kMaerts ||
      options_.mode == Mode::kIdle)
    return;
  for (const std::uint32_t index : std::exchange(idle_, {})) {
    slots_[index].listed = false;
    begin(index, now);
  }
}

void Client::ask_all(Instant) { is_asking_ = true; }

// As with opening, one goes ahead: who has held for a minute is no longer known to ARP.
void Client::ask_some(Instant now) {
  const std::uint32_t at_once = is_first_answered_ ? options_.opening : 1;
  while (next_to_ask_ < slots_.size() && asked_ < at_once) {
    const std::uint32_t index = next_to_ask_++;
    if (slots_[index].state != State::kIdle) continue;
    ++asked_;
    begin(index, now);
  }
}

void Client::answered() {
  --asked_;
  is_first_answered_ = true;
}

bool Client::is_answered() const { return next_to_ask_ == slots_.size() && asked_ == 0; }

// A stream that the server does not end would hold up the drain.
void Client::stop() {
  is_running_ = false;
  is_asking_ = false;
  to_open_.clear();
  if (options_.mode == Mode::kIdle) next_to_leave_ = 0;
  if (options_.mode != Mode::kMaerts && options_.mode != Mode::kStream) return;
  for (Slot& slot : slots_) slot.c.abort();
}

// Ten million that said farewell in order would take longer than the measurement.
void Client::leave_some() {
  for (std::uint32_t i = 0; i < kLeavingAtOnce && !has_left(); ++i)
    slots_[next_to_leave_++].c.abort();
}

std::uint64_t Client::backlog(Instant now) const { return schedule_ ? schedule_->backlog(now) : 0; }

// A slot that could take a request takes the next one, or waits for it.
void Client::rest(std::uint32_t index) {
  if (is_running_ && options_.mode != Mode::kMaerts && options_.mode != Mode::kIdle) {
    const Instant now = clock_();
    if (!schedule_) return begin(index, now);
    if (schedule_->is_due(now)) return begin(index, schedule_->take());
  }
  if (options_.mode == Mode::kIdle) return;  // asked in their order
  if (!std::exchange(slots_[index].listed, true)) idle_.push_back(index);
}

void Client::issue_due(Instant now) {
  while (!idle_.empty() && schedule_->is_due(now)) {
    const std::uint32_t index = idle_.back();
    idle_.pop_back();
    slots_[index].listed = false;
    const bool is_free =
        slots_[index].state == (connects_per_request() ? State::kClosed : State::kIdle);
    if (is_free) begin(index, schedule_->take());
  }
}

void Client::begin(std::uint32_t index, Instant intended) {
  slots_[index].intended = intended;
  if (connects_per_request())
    to_open_.push_back(index);
  else
    send_request(slots_[index]);
}

void Client::send_request(Slot& slot) {
  slot.state = State::kWaiting;
  slot.unsent = static_cast<std::uint32_t>(request_.size());
  slot.missing = options_.size;
  if (options_.mode == Mode::kHttp) http_parser_init(&parser_of(slot), HTTP_RESPONSE);
  push(slot);
}

void Client::push(Slot& slot) {
  const auto rest = std::as_bytes(std::span(request_)).last(slot.unsent);
  const auto written = slot.c.write(rest);
  if (!written.ok()) return;  // on_writable or on_closed follows
  slot.unsent -= static_cast<std::uint32_t>(*written);
  totals_.bytes_out += *written;
}

void Client::fill(Slot& slot) {
  for (;;) {
    const auto written = slot.c.write(std::as_bytes(std::span(request_)));
    if (!written.ok()) return;
    totals_.bytes_out += *written;
    if (*written < request_.size()) return;
  }
}

void Client::on_writable(Connection c) {
  Slot& slot = slot_of(c);
  if (options_.mode == Mode::kStream) {
    if (is_running_) fill(slot);
  } else if (slot.state == State::kWaiting && slot.unsent > 0) {
    push(slot);
  }
}

void Client::on_readable(Connection c) {
  Slot& slot = slot_of(c);
  while (const auto chunk = c.receive()) {
    totals_.bytes_in += chunk->size();
    if (slot.state != State::kWaiting) continue;
    if (options_.mode == Mode::kHttp)
      read_http(slot, reinterpret_cast<const char*>(chunk->bytes().data()), chunk->size());
    else
      read_echo(slot, chunk->size());
  }
}

void Client::read_echo(Slot& slot, std::size_t bytes) {
  slot.missing -= static_cast<std::uint32_t>(std::min<std::size_t>(bytes, slot.missing));
  if (slot.missing == 0 && slot.unsent == 0) complete(slot);
}

void Client::read_http(Slot& slot, const char* text, std::size_t bytes) {
  bool is_complete = false;
  parser_of(slot).data = &is_complete;
  const std::size_t read = http_parser_execute(&parser_of(slot), &settings_, text, bytes);
  if (read != bytes) return slot.c.abort();  // no HTTP; on_closed counts it
  if (is_complete) complete(slot);
}

// The answer is there. An HTTP server that wants to close does so by itself, which on_closed sees.
void Client::complete(Slot& slot) {
  latency_.record(static_cast<std::uint64_t>((clock_() - slot.intended).count()));
  ++totals_.requests;
  if (connects_per_request()) {
    slot.state = State::kClosing;
    slot.c.close();
    return;
  }
  slot.state = State::kIdle;
  if (is_asking_) return answered();
  if (options_.mode == Mode::kHttp && http_should_keep_alive(&parser_of(slot)) == 0) {
    slot.state = State::kClosing;
    return;
  }
  rest(static_cast<std::uint32_t>(slot.c.user_data()));
}

}  // namespace bench
