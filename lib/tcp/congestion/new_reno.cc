// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/congestion/new_reno.h"

#include <algorithm>

#include "base/assert.h"

namespace tern::tcp {
namespace {

constexpr std::uint32_t kMaxWindow = 1u << 30;  // no peer can offer more (RFC 7323 2.3)

}  // namespace

void NewReno::start(std::uint32_t mss_bytes) {
  TERN_ASSERT(mss_bytes > 0);
  *this = NewReno{};
  mss_ = mss_bytes;
  cwnd_ = initial_window();
}

/// RFC 6928 2.
std::uint32_t NewReno::initial_window() const {
  return std::min(10 * mss_, std::max(2 * mss_, 14600u));
}

/// RFC 5681 equation 4.
std::uint32_t NewReno::half_of(std::uint32_t flight_bytes) const {
  return std::max(std::min(flight_bytes, kMaxWindow) / 2, 2 * mss_);
}

void NewReno::set_cwnd(std::uint64_t bytes) {
  cwnd_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes, mss_, kMaxWindow));
}

void NewReno::on_ack(const AckEvent& event) {
  // A window that was not used has not been shown to be safe (RFC 7661); less than a segment short
  // of full counts as full.
  const bool was_full = std::uint64_t{event.flight_bytes} + mss_ > cwnd_;
  if (!event.cwnd_limited && !was_full) return;
  if (cwnd_ < ssthresh_) {
    // RFC 3465 2.2, 2.3: L = 2, but 1 after a time-out, where one ACK may cover much old data.
    const std::uint32_t limit = after_rto_ ? mss_ : 2 * mss_;
    set_cwnd(std::uint64_t{cwnd_} + std::min(event.bytes_acked, limit));
    return;
  }
  after_rto_ = false;
  // RFC 3465 2.1: one segment for each window's worth of bytes, whatever the number of ACKs; at
  // most one for each ACK.
  bytes_acked_ += std::min(event.bytes_acked, cwnd_);
  if (bytes_acked_ < cwnd_) return;
  bytes_acked_ -= cwnd_;
  set_cwnd(std::uint64_t{cwnd_} + mss_);
}

/// RFC 5681 3.2 steps 2 and 3.
void NewReno::on_loss(const LossEvent& event) {
  ssthresh_ = event.congestion ? half_of(event.flight_bytes) : cwnd_;
  set_cwnd(std::uint64_t{ssthresh_} + 3 * mss_);
  // RFC 5681 3.2 lets a sender count no more duplicates than there were segments outstanding: a
  // receiver could make up any number.
  inflation_limit_ = std::max(cwnd_, ssthresh_ + std::min(event.flight_bytes, kMaxWindow));
  bytes_acked_ = 0;
  after_rto_ = false;
}

/// RFC 5681 3.2 step 4: a segment has left the network.
void NewReno::on_duplicate_ack() {
  set_cwnd(std::max(cwnd_, std::min(cwnd_ + mss_, inflation_limit_)));
}

/// RFC 6582 3.2 step 3: deflates by what was acknowledged, and lets one segment out if it was a
/// whole one.
void NewReno::on_partial_ack(std::uint32_t bytes_acked) {
  const std::uint32_t rest = cwnd_ - std::min(bytes_acked, cwnd_);
  set_cwnd(std::uint64_t{rest} + (bytes_acked >= mss_ ? mss_ : 0));
}

/// RFC 6582 3.2 step 3, full acknowledgment, option 1: no burst after recovery.
void NewReno::on_recovery_exit(std::uint32_t flight_bytes) {
  set_cwnd(std::min<std::uint64_t>(ssthresh_, std::uint64_t{std::max(flight_bytes, mss_)} + mss_));
  bytes_acked_ = 0;
}

/// RFC 9937 6.
void NewReno::end_recovery() {
  set_cwnd(ssthresh_);
  bytes_acked_ = 0;
}

/// RFC 5681 3.1: ssthresh is held when the same data times out again.
void NewReno::on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data) {
  if (first_timeout_of_this_data) ssthresh_ = half_of(flight_bytes);
  cwnd_ = mss_;
  bytes_acked_ = 0;
  after_rto_ = true;
}

/// RFC 5681 3.1, as RFC 6928 2 relaxes it.
void NewReno::on_syn_losses() { cwnd_ = mss_; }

/// RFC 5681 4.1: RW = min(IW, cwnd).
void NewReno::on_idle_restart() {
  cwnd_ = std::min(cwnd_, initial_window());
  bytes_acked_ = 0;
}

void NewReno::set_mss(std::uint32_t mss_bytes) {
  TERN_ASSERT(mss_bytes > 0);
  mss_ = mss_bytes;
  set_cwnd(cwnd_);
}

}  // namespace tern::tcp
