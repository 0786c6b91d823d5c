// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tcp/congestion/event.h"

namespace tern::tcp {

/// CUBIC (RFC 9438): after a reduction the window comes back to where it was along a cubic curve of
/// the time since, whatever the round trip; never slower than Reno would. The first slow start ends
/// by HyStart++ (RFC 9406) before it overshoots. C = 0.4, beta = 0.7, fast convergence. What is not
/// said here is as NewReno has it: recovery without SACK, restart after idling, the initial window.
///
/// All arithmetic is on integers: windows in bytes, times in milliseconds, fractions of a byte
/// carried from ACK to ACK. At most 2^30 bytes, and at least a segment.
class Cubic {
 public:
  void start(std::uint32_t mss_bytes);
  void on_ack(const AckEvent& event);
  void on_loss(const LossEvent& event);
  void on_duplicate_ack();
  void on_partial_ack(std::uint32_t bytes_acked);
  void on_recovery_exit(std::uint32_t flight_bytes);
  void set_recovery_window(std::uint32_t bytes) { set_cwnd(bytes); }
  void end_recovery();
  void raise_ssthresh(std::uint32_t bytes);
  void on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data);
  void on_syn_losses() { cwnd_ = mss_; }
  void on_idle_restart();
  void set_mss(std::uint32_t mss_bytes);

  std::uint32_t cwnd() const { return cwnd_; }
  std::uint32_t ssthresh() const { return ssthresh_; }

  /// W_max in bytes; 0 before the first reduction.
  std::uint32_t w_max() const { return in_first_slow_start() ? 0 : growth_.w_max; }

  /// The curve: C (t - K)^3 + W_max, in bytes, t since the epoch began; in [0, 2^30].
  static std::uint32_t window_at(std::uint32_t t_ms, std::uint32_t k_ms, std::uint32_t w_max_bytes,
                                 std::uint32_t mss_bytes);
  /// K, when the curve that begins at `from` reaches W_max: cbrt((W_max - from) / C).
  static std::uint32_t time_to_w_max(std::uint32_t from_bytes, std::uint32_t w_max_bytes,
                                     std::uint32_t mss_bytes);

 private:
  /// Congestion avoidance; and in recovery w_est_or_limit, which then is NewReno's limit of
  /// inflation.
  struct Growth {
    std::uint32_t w_max;           // bytes
    std::uint32_t epoch_ms;        // when the curve began; only if has_epoch_
    std::uint32_t w_est_or_limit;  // Reno's window since then
    std::uint16_t k_quarters;      // K in 4 ms
    std::uint8_t cwnd_fraction;    // 1/256 bytes
    std::uint8_t w_est_fraction;
  };
  /// The first slow start (RFC 9406): of this round trip and the one before.
  struct SlowStart {
    std::uint32_t last_min_us;
    std::uint32_t now_min_us;
    std::uint32_t baseline_us;  // in conservative slow start
    std::uint32_t round_left;   // bytes to be acknowledged until the round is over
  };

  bool in_first_slow_start() const { return ssthresh_ == UINT32_MAX; }
  std::uint32_t limit_of(const AckEvent& event) const;
  void grow_in_slow_start(const AckEvent& event);
  std::uint32_t watch_delay(const AckEvent& event, std::uint32_t bytes);
  void judge_round(bool over);
  void leave_slow_start();
  void begin_epoch(std::uint32_t now_ms);
  void grow_as_reno(std::uint32_t bytes_acked);
  void grow_along_curve(const AckEvent& event, std::uint32_t bytes_acked, std::uint32_t t_ms);
  void reduce(std::uint32_t flight_bytes);
  std::uint32_t initial_window() const;
  void set_cwnd(std::uint64_t bytes);

  std::uint32_t cwnd_ = 1;
  std::uint32_t ssthresh_ = UINT32_MAX;
  std::uint16_t mss_ : 14 = 1;
  std::uint16_t after_rto_ : 1 = 0;  // slow start follows a time-out
  std::uint16_t converged_ : 1 = 0;  // w_max has been lowered by fast convergence
  std::uint8_t has_epoch_ = 0;
  std::uint8_t samples_ : 4 = 0;     // of this round, at most 8
  std::uint8_t css_rounds_ : 4 = 0;  // 0: not in conservative slow start
  union {
    Growth growth_;
    SlowStart slow_start_ = {UINT32_MAX, UINT32_MAX, 0, 0};
  };
};
static_assert(sizeof(Cubic) <= 28);

}  // namespace tern::tcp
