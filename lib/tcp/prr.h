// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>

namespace tern::tcp {

/// Proportional Rate Reduction (RFC 9937): in recovery, how much may be sent upon each ACK, so that
/// the flight comes down to ssthresh evenly, and never in a burst. A small value; bytes throughout.
class Prr {
 public:
  /// Recovery begins. `flight` is RecoverFS: outstanding, and not known to be delivered before the
  /// ACK that began it.
  void start(std::uint32_t flight) {
    delivered_ = sent_ = 0;
    flight_ = std::max(flight, 1u);
  }

  struct Ack {
    std::uint32_t delivered;  // by this ACK, cumulatively or selectively
    std::uint32_t in_flight;  // pipe, after this ACK
    bool safe;                // it advances snd_una, and no further loss was found
  };

  /// Section 6: the congestion window after this ACK.
  std::uint32_t window_after(const Ack& ack, std::uint32_t ssthresh, std::uint32_t mss) {
    delivered_ += ack.delivered;
    std::uint32_t count;
    if (ack.in_flight > ssthresh) {  // Proportional Rate Reduction
      const auto share = static_cast<std::uint32_t>(
          (std::uint64_t{delivered_} * ssthresh + flight_ - 1) / flight_);
      count = share > sent_ ? share - sent_ : 0;
    } else {  // back up to ssthresh: by what was delivered (PRR-CRB), faster if all is well (SSRB)
      count = std::max(delivered_ > sent_ ? delivered_ - sent_ : 0, ack.delivered);
      if (ack.safe) count += mss;
      count = std::min(ssthresh - ack.in_flight, count);
    }
    if (sent_ == 0 && count < mss) count = mss;  // the fast retransmit itself
    return ack.in_flight + count;
  }

  /// Bytes of data were sent, new or again.
  void on_sent(std::uint32_t bytes) { sent_ += bytes; }

 private:
  std::uint32_t delivered_ = 0;  // prr_delivered
  std::uint32_t sent_ = 0;       // prr_out
  std::uint32_t flight_ = 1;     // RecoverFS
};

}  // namespace tern::tcp
