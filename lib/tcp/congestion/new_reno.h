// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>

#include "tcp/congestion/event.h"

namespace tern::tcp {

/// Slow start, congestion avoidance, fast retransmit and fast recovery: RFC 5681 and 6582, with an
/// initial window of ten segments (RFC 6928) and growth by bytes, not ACKs (RFC 3465), so that a
/// receiver who splits its ACKs gains nothing. Detecting a loss is not its business. A small value;
/// windows are in bytes, at least one segment and at most 2^30.
class NewReno {
 public:
  void start(std::uint32_t mss_bytes);
  void on_ack(const AckEvent& event);
  void on_loss(const LossEvent& event);
  void on_duplicate_ack();
  void on_partial_ack(std::uint32_t bytes_acked);
  void on_recovery_exit(std::uint32_t flight_bytes);
  void set_recovery_window(std::uint32_t bytes) { set_cwnd(bytes); }
  void end_recovery();
  void raise_ssthresh(std::uint32_t bytes) { ssthresh_ = std::max(ssthresh_, bytes); }
  void on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data);
  void on_syn_losses();
  void on_idle_restart();
  void set_mss(std::uint32_t mss_bytes);

  std::uint32_t cwnd() const { return cwnd_; }
  std::uint32_t ssthresh() const { return ssthresh_; }

 private:
  std::uint32_t initial_window() const;
  std::uint32_t half_of(std::uint32_t flight_bytes) const;
  void set_cwnd(std::uint64_t bytes);

  std::uint32_t cwnd_ = 1;
  std::uint32_t ssthresh_ = UINT32_MAX;
  std::uint32_t mss_ = 1;
  std::uint32_t bytes_acked_ = 0;      // congestion avoidance: since cwnd last grew
  std::uint32_t inflation_limit_ = 0;  // recovery: cwnd is not inflated beyond this
  bool after_rto_ = false;             // slow start follows a time-out
};

}  // namespace tern::tcp
