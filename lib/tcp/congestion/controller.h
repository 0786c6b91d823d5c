// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tcp/congestion/cubic.h"
#include "tcp/congestion/new_reno.h"
#include "tern/config.h"
#include "tern/time.h"

namespace tern::tcp {

/// How much may be outstanding: the congestion window of one connection, by the algorithm that it
/// chose. A small value in the TCB; a switch rather than a virtual call. Detecting losses is apart:
/// whoever finds one says so here. All windows are in bytes.
///
/// The order of calls: start(); on_ack() for new data outside recovery; on_loss() when recovery is
/// entered, then on_duplicate_ack() and on_partial_ack(), and last on_recovery_exit(); on_rto() at
/// any time, which ends recovery.
class CongestionController {
 public:
  CongestionController() : new_reno_{} {}

  /// The handshake is complete: mss is the sending one, data bytes of a full segment.
  void start(CongestionAlgorithm algorithm, std::uint32_t mss_bytes, Instant now);

  /// New data was acknowledged, outside recovery.
  void on_ack(const AckEvent& event);

  /// Recovery begins (fast retransmit).
  void on_loss(const LossEvent& event);

  /// In recovery: one more duplicate ACK, after the ones that set it off.
  void on_duplicate_ack();

  /// In recovery: an ACK for new data, but not for all that was outstanding when recovery began.
  void on_partial_ack(std::uint32_t bytes_acked);

  /// All that was outstanding when recovery began is acknowledged; flight_bytes is still out.
  void on_recovery_exit(std::uint32_t flight_bytes);

  /// In a recovery that PRR paces (RFC 9937), in place of the three calls above: the window after
  /// an ACK; and its end, with the window at ssthresh.
  void set_recovery_window(std::uint32_t bytes);
  void end_recovery();

  /// To at least so many bytes: what was lost was no congestion, so slow start goes on that far.
  void raise_ssthresh(std::uint32_t bytes);

  /// The retransmission timer expired, for the first time or again for the same data.
  void on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data);

  /// After start(): the SYN or SYN-ACK had to be sent more than twice (RFC 6928 2).
  void on_syn_losses();

  /// Nothing was sent for longer than an RTO, and something will be now (RFC 5681 4.1).
  void on_idle_restart();

  void set_mss(std::uint32_t mss_bytes);

  CongestionAlgorithm algorithm() const { return algorithm_; }

  /// At least one segment, at most 2^30.
  std::uint32_t cwnd() const;
  std::uint32_t ssthresh() const;

 private:
  /// Calls `call` with the chosen algorithm's value. Every algorithm answers to NewReno's names.
  template <class Self, class F>
  static decltype(auto) visit(Self& self, F&& call) {
    switch (self.algorithm_) {
      case CongestionAlgorithm::kNewReno:
        return call(self.new_reno_);
      case CongestionAlgorithm::kCubic:
        return call(self.cubic_);
    }
    __builtin_unreachable();
  }

  CongestionAlgorithm algorithm_ = CongestionAlgorithm::kNewReno;
  union {
    NewReno new_reno_;
    Cubic cubic_;
  };
};
static_assert(sizeof(CongestionController) <= 32);

inline std::uint32_t CongestionController::cwnd() const {
  return visit(*this, [](const auto& a) { return a.cwnd(); });
}

inline std::uint32_t CongestionController::ssthresh() const {
  return visit(*this, [](const auto& a) { return a.ssthresh(); });
}

}  // namespace tern::tcp
