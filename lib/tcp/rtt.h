// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>

#include "tern/config.h"
#include "tern/time.h"

namespace tern::tcp {

/// min_rto and max_rto in microseconds: converted once, not for every sample.
struct RtoBounds {
  RtoBounds(const TcpConfig& config);  // implicit: a config says them too
  std::uint32_t min_us, max_us;
};

/// The round-trip time and the retransmission time-out of one connection: RFC 6298. The scaled sums
/// are Jacobson's, so that no fraction of a microsecond is lost from one sample to the next. Which
/// segments may be timed (Karn's algorithm) is the caller's to know.
class RttEstimator {
 public:
  /// RFC 6298 2.1's initial RTO of 1 s.
  RttEstimator() = default;
  explicit RttEstimator(const TcpConfig& config);

  /// RFC 6298 2.2, 2.3: one measurement. Ends any back-off.
  void sample(Duration rtt, RtoBounds bounds);

  /// The same of one that is exact to the microsecond, which is for minimum() too.
  void sample_exact(std::uint32_t rtt_us, const RtoBounds& bounds);
  /// The shortest round trip since the connection began, or its last time-out; what srtt() says
  /// while there is none (RFC 8985 6.2 step 1).
  Duration minimum() const {
    return min_us_ == UINT32_MAX ? srtt() : std::chrono::microseconds(min_us_);
  }
  void forget_minimum() { min_us_ = UINT32_MAX; }

  /// The current time-out, back-off included, in [min_rto, max_rto].
  Duration rto() const { return std::chrono::microseconds(rto_us_); }

  /// RFC 6298 5.5: the timer expired. Doubles rto(), up to max_rto.
  void back_off(const TcpConfig& config);

  /// New data was acknowledged: rto() is again what the samples say.
  void reset_back_off();

  /// RFC 6298 5.7: to be called when the handshake completes, if its SYN timed out before that. An
  /// RTO that began below 3 s becomes 3 s, until the next sample.
  void on_syn_retransmitted(const TcpConfig& config);

  /// Zero before the first sample.
  Duration srtt() const { return std::chrono::microseconds(srtt_us_x8_ >> 3); }
  Duration rttvar() const { return std::chrono::microseconds(rttvar_us_x4_ >> 2); }
  bool has_sample() const { return has_sample_; }
  /// Consecutive time-outs since the last reset, at most 255.
  unsigned back_off_count() const { return back_off_count_; }

 private:
  void take(std::uint32_t rtt_us, const RtoBounds& bounds);

  std::uint32_t srtt_us_x8_ = 0;
  std::uint32_t rttvar_us_x4_ = 0;
  std::uint32_t base_rto_us_ = 1'000'000;  // without back-off
  std::uint32_t rto_us_ = 1'000'000;
  std::uint32_t min_us_ = UINT32_MAX;
  std::uint8_t back_off_count_ = 0;
  bool has_sample_ = false;
};
static_assert(sizeof(RttEstimator) <= 24);

}  // namespace tern::tcp
