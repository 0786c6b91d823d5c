// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/congestion/cubic.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tern::tcp {
namespace {

constexpr std::uint32_t kMaxWindow = 1u << 30;  // no peer can offer more (RFC 7323 2.3)
constexpr std::uint32_t kMaxTimeMs = 1u << 18;  // the curve is beyond kMaxWindow by then

// RFC 9406 4.3.
constexpr std::uint32_t kMinThresholdUs = 4'000, kMaxThresholdUs = 16'000;
constexpr unsigned kSamples = 8, kCssDivisor = 4, kCssRounds = 5;

/// beta = 0.7.
std::uint32_t times_beta(std::uint32_t bytes) {
  return static_cast<std::uint32_t>(std::uint64_t{bytes} * 7 / 10);
}

/// The largest x whose cube is at most n.
std::uint32_t cube_root(std::uint64_t n) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 20; bit > 0; bit >>= 1) {
    const std::uint64_t next = root | bit;
    if (next * next * next <= n) root = next;
  }
  return static_cast<std::uint32_t>(root);
}

std::uint32_t in_ms(Instant t) {
  return static_cast<std::uint32_t>(t.time_since_epoch() / std::chrono::milliseconds(1));
}

/// numerator / denominator in 1/256, rounded.
std::uint64_t in_fractions(std::uint64_t numerator, std::uint64_t denominator) {
  return (numerator * 256 + denominator / 2) / denominator;
}

/// Adds 1/256 bytes to a window of whole bytes and its fraction.
std::uint64_t add_fractions(std::uint64_t bytes, std::uint8_t& fraction, std::uint64_t more) {
  const std::uint64_t sum = fraction + more;
  fraction = static_cast<std::uint8_t>(sum & 0xff);
  return bytes + (sum >> 8);
}

}  // namespace

std::uint32_t Cubic::window_at(std::uint32_t t_ms, std::uint32_t k_ms, std::uint32_t w_max_bytes,
                               std::uint32_t mss_bytes) {
  const bool before = t_ms < k_ms;
  const std::uint64_t d = std::min(before ? k_ms - t_ms : t_ms - k_ms, kMaxTimeMs);
  // 0.4 mss (d / 1000)^3, in an order that neither overflows nor loses a byte.
  const std::uint64_t delta = d * d * d / 1'000'000 * (4 * std::uint64_t{mss_bytes}) / 10'000;
  if (before) return w_max_bytes > delta ? static_cast<std::uint32_t>(w_max_bytes - delta) : 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(w_max_bytes + delta, kMaxWindow));
}

std::uint32_t Cubic::time_to_w_max(std::uint32_t from_bytes, std::uint32_t w_max_bytes,
                                   std::uint32_t mss_bytes) {
  if (from_bytes >= w_max_bytes) return 0;
  return cube_root(std::uint64_t{w_max_bytes - from_bytes} * 2'500'000'000 / mss_bytes);
}

void Cubic::start(std::uint32_t mss_bytes) {
  *this = Cubic{};
  set_mss(mss_bytes);
  cwnd_ = initial_window();
}

/// RFC 6928 2.
std::uint32_t Cubic::initial_window() const {
  const std::uint32_t mss = mss_;
  return std::min(10 * mss, std::max(2 * mss, 14600u));
}

void Cubic::set_cwnd(std::uint64_t bytes) {
  cwnd_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes, mss_, kMaxWindow));
}

void Cubic::on_ack(const AckEvent& event) {
  // A window that was not used has not been shown to be safe (RFC 7661); less than a segment short
  // of full counts as full. Nor does the curve go on meanwhile (RFC 9438 4.2): from where the
  // window stands, it begins anew.
  const std::uint32_t mss = mss_;
  const bool was_full = std::uint64_t{event.flight_bytes} + mss > cwnd_;
  if (!event.cwnd_limited && !was_full) {
    has_epoch_ = 0;
    return;
  }
  if (cwnd_ < ssthresh_) return grow_in_slow_start(event);
  const std::uint32_t now_ms = in_ms(event.now);
  if (has_epoch_ == 0) begin_epoch(now_ms);
  const std::uint32_t acked = std::min(event.bytes_acked, cwnd_);
  grow_as_reno(acked);
  grow_along_curve(event, acked, now_ms - growth_.epoch_ms);
  set_cwnd(std::max(cwnd_, growth_.w_est_or_limit));  // the Reno-friendly region
}

void Cubic::grow_in_slow_start(const AckEvent& event) {
  // RFC 3465 2.2, 2.3: L = 2, but 1 after a time-out, where one ACK may cover much old data.
  // HyStart takes 8 where there is pacing.
  const std::uint32_t mss = mss_;
  const std::uint32_t limit = after_rto_ != 0 ? mss : 2 * mss;
  std::uint32_t bytes = std::min(event.bytes_acked, limit);
  if (in_first_slow_start()) bytes = watch_delay(event, bytes);
  set_cwnd(std::uint64_t{cwnd_} + bytes);
}

// RFC 9406 4.2. Returns by how much the window may grow. A round is what was in flight when it
// began.
std::uint32_t Cubic::watch_delay(const AckEvent& event, std::uint32_t bytes) {
  SlowStart& s = slow_start_;
  const auto rtt_us = static_cast<std::uint32_t>(event.rtt / std::chrono::microseconds(1));
  if (event.rtt > Duration::zero()) {
    s.now_min_us = std::min(s.now_min_us, rtt_us);
    if (samples_ < kSamples) samples_ = (samples_ + 1u) & 0xf;
  }
  const bool over = event.bytes_acked >= s.round_left;
  judge_round(over);
  if (in_first_slow_start()) {
    s.round_left -= std::min(event.bytes_acked, s.round_left);
    if (over) {
      s.round_left = event.flight_bytes - std::min(event.bytes_acked, event.flight_bytes) + bytes;
      s.last_min_us = std::exchange(s.now_min_us, UINT32_MAX);
      samples_ = 0;
    }
  }
  return css_rounds_ > 0 ? bytes / kCssDivisor : bytes;
}

void Cubic::judge_round(bool over) {
  SlowStart& s = slow_start_;
  if (css_rounds_ > 0) {
    // The delay went down again: it was no queue of ours.
    if (samples_ >= kSamples && s.now_min_us < s.baseline_us) css_rounds_ = 0;
    if (css_rounds_ > 0 && over && ++css_rounds_ > kCssRounds) leave_slow_start();
    return;
  }
  if (samples_ < kSamples || s.last_min_us == UINT32_MAX) return;
  const std::uint32_t threshold = std::clamp(s.last_min_us / 8, kMinThresholdUs, kMaxThresholdUs);
  if (s.now_min_us < s.last_min_us + threshold) return;
  s.baseline_us = s.now_min_us;
  css_rounds_ = 1;
}

void Cubic::leave_slow_start() {
  ssthresh_ = cwnd_;
  growth_ = {};
  css_rounds_ = 0;
}

// RFC 9438 4.2, 4.8, 4.10: towards W_max, or up from here where slow start has come beyond it.
void Cubic::begin_epoch(std::uint32_t now_ms) {
  if (cwnd_ >= growth_.w_max || after_rto_ != 0) growth_.w_max = cwnd_;
  after_rto_ = 0;
  growth_.k_quarters =
      static_cast<std::uint16_t>((time_to_w_max(cwnd_, growth_.w_max, mss_) + 2) / 4);
  growth_.epoch_ms = now_ms;
  growth_.w_est_or_limit = cwnd_;
  growth_.cwnd_fraction = growth_.w_est_fraction = 0;
  has_epoch_ = 1;
}

// RFC 9438 4.3: by alpha = 3 (1 - beta) / (1 + beta) = 9/17 of a segment a window, which with beta
// is as fast as Reno; by a whole one once it is where the last reduction was.
void Cubic::grow_as_reno(std::uint32_t bytes_acked) {
  Growth& g = growth_;
  const std::uint64_t prior = converged_ != 0 ? std::uint64_t{g.w_max} * 20 / 17 : g.w_max;
  const bool slow = g.w_est_or_limit < prior;
  const std::uint64_t more =
      in_fractions(std::uint64_t{mss_} * bytes_acked * (slow ? 9 : 17), std::uint64_t{cwnd_} * 17);
  g.w_est_or_limit = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(add_fractions(g.w_est_or_limit, g.w_est_fraction, more), kMaxWindow));
}

// RFC 9438 4.4, 4.5: to be in a round trip's time where the curve is then, at most half as much
// again.
void Cubic::grow_along_curve(const AckEvent& event, std::uint32_t bytes_acked, std::uint32_t t_ms) {
  const auto rtt_ms = static_cast<std::uint32_t>(event.srtt / std::chrono::milliseconds(1));
  const std::uint32_t target =
      std::min(window_at(std::min(t_ms, kMaxTimeMs) + std::min(rtt_ms, kMaxTimeMs),
                         4u * growth_.k_quarters, growth_.w_max, mss_),
               cwnd_ + cwnd_ / 2);
  if (target <= cwnd_) return;
  const std::uint64_t more = in_fractions(std::uint64_t{target - cwnd_} * bytes_acked, cwnd_);
  set_cwnd(add_fractions(cwnd_, growth_.cwnd_fraction, more));
}

// RFC 9438 4.6, 4.7.
void Cubic::reduce(std::uint32_t flight_bytes) {
  if (in_first_slow_start()) growth_ = {};
  css_rounds_ = 0;
  converged_ = cwnd_ < growth_.w_max;
  growth_.w_max =
      converged_ != 0 ? static_cast<std::uint32_t>(std::uint64_t{cwnd_} * 17 / 20) : cwnd_;
  ssthresh_ = std::max(times_beta(std::min({flight_bytes, cwnd_, kMaxWindow})), 2u * mss_);
  has_epoch_ = 0;
}

void Cubic::on_loss(const LossEvent& event) {
  const std::uint32_t before = cwnd_;
  reduce(event.flight_bytes);
  if (!event.congestion) ssthresh_ = growth_.w_max = before;
  after_rto_ = 0;
  set_cwnd(std::uint64_t{ssthresh_} + 3u * mss_);
  growth_.w_est_or_limit =
      std::max(cwnd_, ssthresh_ + std::min(event.flight_bytes, kMaxWindow));  // as NewReno does
}

/// RFC 5681 3.2 step 4.
void Cubic::on_duplicate_ack() {
  set_cwnd(std::max(cwnd_, std::min(cwnd_ + mss_, growth_.w_est_or_limit)));
}

/// RFC 6582 3.2 step 3.
void Cubic::on_partial_ack(std::uint32_t bytes_acked) {
  const std::uint32_t rest = cwnd_ - std::min(bytes_acked, cwnd_);
  set_cwnd(std::uint64_t{rest} + (bytes_acked >= mss_ ? mss_ : 0u));
}

void Cubic::on_recovery_exit(std::uint32_t flight_bytes) {
  set_cwnd(std::min<std::uint64_t>(
      ssthresh_, std::uint64_t{std::max<std::uint32_t>(flight_bytes, mss_)} + mss_));
}

void Cubic::end_recovery() { set_cwnd(ssthresh_); }

void Cubic::raise_ssthresh(std::uint32_t bytes) {
  if (bytes <= ssthresh_) return;
  ssthresh_ = bytes;
  if (!in_first_slow_start()) return;
  slow_start_ = {UINT32_MAX, UINT32_MAX, 0, 0};  // what was measured is gone
  samples_ = 0;
}

void Cubic::on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data) {
  if (first_timeout_of_this_data) reduce(flight_bytes);
  cwnd_ = mss_;
  after_rto_ = 1;
  has_epoch_ = 0;
}

/// RFC 5681 4.1: RW = min(IW, cwnd).
void Cubic::on_idle_restart() {
  cwnd_ = std::min(cwnd_, initial_window());
  has_epoch_ = 0;
}

void Cubic::set_mss(std::uint32_t mss_bytes) {
  TERN_ASSERT(mss_bytes > 0 && mss_bytes < 1u << 14);
  mss_ = mss_bytes & 0x3fff;
  set_cwnd(cwnd_);
}

}  // namespace tern::tcp
