// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <http_parser.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "load.h"
#include "options.h"
#include "schedule.h"
#include "tern/handler.h"
#include "tern/stack.h"

namespace bench {

/// A client on a stack: any mode but l2. Each connection has one request under way at most.
/// Thread: the worker's.
class Client final : public Load, public tern::ConnectionHandler {
 public:
  /// `clock` is the time line of turn(), read anew: a poll's time would be up to a burst too early.
  Client(const Options& options, tern::Stack& stack, std::function<tern::Instant()> clock);

  void turn(tern::Instant now) override;
  bool is_ready() const override;
  void start(tern::Instant now) override;
  void ask_all(tern::Instant now) override;
  bool is_answered() const override;
  void stop() override;
  bool has_left() const override { return next_to_leave_ == slots_.size(); }
  const std::string& trouble() const override { return trouble_; }
  const Totals& totals() const override { return totals_; }
  void measure() override { latency_.reset(); }
  const tern::Histogram& latency() const override { return latency_; }
  std::uint64_t backlog(tern::Instant now) const override;

  void on_established(tern::Connection c) override;
  void on_readable(tern::Connection c) override;
  void on_writable(tern::Connection c) override;
  void on_peer_finished(tern::Connection c) override;
  void on_closed(tern::Connection c, tern::CloseReason reason) override;

 private:
  std::string server_name(std::uint32_t index) const;
  enum class State : std::uint8_t { kClosed, kOpening, kIdle, kWaiting, kClosing };

  // There may be ten million.
  struct Slot {
    tern::Connection c;
    tern::Instant intended{};   // kWaiting, or kOpening for a request
    std::uint32_t unsent = 0;   // bytes of the request
    std::uint32_t missing = 0;  // bytes of the answer
    State state = State::kClosed;
    bool listed = false;  // in idle_
  };
  static_assert(sizeof(Slot) <= 40);

  bool connects_per_request() const {
    return options_.mode == Mode::kCrr || (options_.mode == Mode::kHttp && options_.close);
  }
  Slot& slot_of(tern::Connection c) { return slots_[c.user_data()]; }
  http_parser& parser_of(const Slot& slot) {
    return parsers_[static_cast<std::size_t>(&slot - slots_.data())];
  }
  void open(std::uint32_t index);
  void open_refused(std::uint32_t index, tern::Errc error);
  void rest(std::uint32_t index);
  void open_some(tern::Instant now);
  void issue_due(tern::Instant now);
  void ask_some(tern::Instant now);
  void answered();
  void leave_some();
  void begin(std::uint32_t index, tern::Instant intended);
  void send_request(Slot& slot);
  void push(Slot& slot);
  void fill(Slot& slot);
  void read_echo(Slot& slot, std::size_t bytes);
  void read_http(Slot& slot, const char* text, std::size_t bytes);
  void complete(Slot& slot);

  const Options& options_;
  tern::Stack& stack_;
  const std::function<tern::Instant()> clock_;
  std::string request_;
  http_parser_settings settings_;
  Totals totals_;
  tern::Histogram latency_;
  std::vector<Slot> slots_;
  std::vector<http_parser> parsers_;    // http: a slot's
  std::vector<std::uint32_t> to_open_;  // slots without a connection that shall have one
  std::vector<std::uint32_t> idle_;  // slots that could take a request; may name some that cannot
  std::optional<Schedule> schedule_;
  std::uint32_t opening_ = 0;
  tern::Instant retry_at_{};
  std::string trouble_;
  bool is_running_ = false;
  // Idle's last requests: slots from here on are still to be asked, so many have not answered.
  std::uint32_t next_to_ask_ = 0, asked_ = 0;
  std::uint32_t next_to_leave_;
  bool is_asking_ = false, is_first_answered_ = false;
};

}  // namespace bench
