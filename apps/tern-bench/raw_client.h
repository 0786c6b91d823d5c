// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "load.h"
#include "options.h"
#include "raw_frame.h"
#include "schedule.h"
#include "tern/port.h"

namespace bench::raw {

/// A client without a stack, lighter than what it measures: addresses and ports are the index into
/// a table of 32-byte records, replies are written over the frames that caused them, nothing lost
/// is ever sent again, checksums are not verified. Only for a link that loses and reorders nothing,
/// and for TCPs that mean well. Thread: one.
class RawClient final : public Load {
 public:
  RawClient(const Options& options, tern::Port& port);
  ~RawClient() override;

  /// Takes a burst from the port; answers how many frames that were.
  std::size_t receive();
  /// Answers it, and sends the answers. `now` is read after receive(), so that no answer is older
  /// than its time.
  void process(tern::Instant now);

  void turn(tern::Instant now) override;
  bool is_ready() const override;
  void start(tern::Instant now) override;
  void ask_all(tern::Instant now) override;
  bool is_answered() const override { return idle_.empty() && under_way_ == 0; }
  /// Resets the connections that are left, as far as the port takes it.
  void stop() override;
  bool has_left() const override { return true; }
  const std::string& trouble() const override { return trouble_; }
  const Totals& totals() const override { return totals_; }
  void measure() override { latency_.reset(); }
  const tern::Histogram& latency() const override { return latency_; }
  std::uint64_t backlog(tern::Instant now) const override;

 private:
  enum class State : std::uint8_t { kFree, kSynSent, kIdle, kWaiting, kFinSent };

  struct Record {
    std::uint32_t snd_nxt = 0, snd_una = 0, rcv_nxt = 0;
    std::uint32_t window = 0;  // the server's, in bytes
    std::uint32_t missing = 0;
    State state = State::kFree;
    std::uint8_t window_scale = 0;
    bool owes_ack = false;
    std::int64_t intended = 0;  // ns of the time line
  };
  static_assert(sizeof(Record) == 32);

  /// A record that owes an ACK, since when.
  struct Owed {
    std::uint32_t index;
    std::int64_t since;
  };

  static constexpr std::size_t kBurst = 64;

  bool is_crr() const { return options_.mode == Mode::kCrr; }
  bool is_link() const { return options_.mode == Mode::kL2; }
  Record* record_of(const Incoming& segment);
  std::uint32_t index_of(const Record& r) const {
    return static_cast<std::uint32_t>(&r - records_.data());
  }

  void ask_for_server();
  void on_arp(tern::Frame& frame, const Arp& arp);
  void on_plain(tern::Frame& frame);
  void on_segment(tern::Frame& frame, const Incoming& s, Record& r);
  void on_syn_ack(tern::Frame& frame, const Incoming& s, Record& r);
  void on_data(tern::Frame& frame, const Incoming& s, Record& r);
  void on_fin(tern::Frame& frame, Record& r);
  void on_answer(tern::Frame& frame, Record& r);
  void on_lost(Record& r);

  void open_some();
  void open_next();
  void request_some();
  Record& next_idle();
  /// A request over a received frame; prepare() is its part without the frame.
  void request(tern::Frame& frame, Record& r, std::int64_t intended);
  void prepare(Record& r, std::int64_t intended);
  /// When the next request is meant to leave: by the schedule, or now.
  std::int64_t next_intended() {
    return schedule_ ? schedule_->take().time_since_epoch().count() : now_;
  }
  void rest(Record& r);
  void owe_ack(Record& r);
  void pay_acks(std::int64_t owed_before);
  void fill(Record& r);
  void fill_link();
  void answer(tern::Frame& frame, const Record& r, std::uint8_t flags, std::uint32_t seq,
              std::uint32_t bytes);
  void send(tern::Frame& frame, const Record& r, std::uint8_t flags, std::uint32_t seq,
            std::uint32_t bytes);
  bool has_room() const { return out_.size() < kBurst; }
  bool take_frame(tern::Frame& frame);
  void flush();

  const Options& options_;
  tern::Port& port_;
  const std::uint32_t first_address_;
  std::uint32_t addresses_ = 1;  // of ours, the first one included
  std::uint32_t resolved_ = 0;   // those that the server has answered, and so knows
  std::uint32_t mss_ = 0;
  std::optional<SegmentTemplate> template_;
  Totals totals_;
  tern::Histogram latency_;
  std::vector<Record> records_;  // by (address - first) * ports + (port - first)
  std::deque<std::uint32_t> idle_;
  std::deque<Owed> owed_;  // in the order of time; may name records that have paid
  std::array<tern::Frame, kBurst> in_;
  std::size_t arrived_ = 0;                               // of in_
  std::array<std::optional<Incoming>, kBurst> segments_;  // what in_ says,
  std::array<Record*, kBurst> found_{};                   //   and whose it is
  std::vector<tern::Frame> out_, done_, spare_;
  std::optional<Schedule> schedule_;
  std::int64_t now_ = 0;
  std::int64_t next_arp_ = 0, arp_ends_ = 0;
  std::uint32_t opened_so_far_ = 0;  // records that have been opened once
  std::uint32_t opening_ = 0;
  std::uint32_t next_free_ = 0;  // crr: where to look for a record
  std::uint32_t under_way_ = 0;  // requests, crr: connections, l2: frames
  std::string trouble_;
  bool is_running_ = false;
  bool is_asking_ = false;  // idle's last requests
};

}  // namespace bench::raw
