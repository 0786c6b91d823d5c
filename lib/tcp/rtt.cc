// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/rtt.h"

#include <algorithm>

namespace tern::tcp {
namespace {

constexpr std::uint32_t kGranularityUs = 100;       // G: the timer wheel's tick
constexpr std::uint32_t kMaxSampleUs = 1u << 28;    // 268 s; eight of them fit 32 bits
constexpr std::uint32_t kSynLossRtoUs = 3'000'000;  // RFC 6298 5.7

std::uint32_t to_us(Duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, INT32_MAX));
}

}  // namespace

RtoBounds::RtoBounds(const TcpConfig& config)
    : min_us(to_us(config.min_rto)), max_us(to_us(config.max_rto)) {}

RttEstimator::RttEstimator(const TcpConfig& config)
    : base_rto_us_(std::min(std::max(to_us(config.initial_rto), to_us(config.min_rto)),
                            to_us(config.max_rto))),
      rto_us_(base_rto_us_) {}

void RttEstimator::sample(Duration rtt, RtoBounds bounds) { take(to_us(rtt), bounds); }

void RttEstimator::sample_exact(std::uint32_t rtt_us, const RtoBounds& bounds) {
  take(rtt_us, bounds);
  min_us_ = std::min(min_us_, rtt_us);
}

void RttEstimator::take(std::uint32_t rtt_us, const RtoBounds& bounds) {
  const std::uint32_t r = std::min(rtt_us, kMaxSampleUs);
  if (!has_sample_) {
    has_sample_ = true;
    srtt_us_x8_ = r << 3;    // SRTT <- R
    rttvar_us_x4_ = r << 1;  // RTTVAR <- R/2
  } else {
    const std::uint32_t srtt = srtt_us_x8_ >> 3;
    const std::uint32_t deviation = srtt > r ? srtt - r : r - srtt;
    // RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R'|, and only then SRTT <- 7/8 SRTT + 1/8 R'
    rttvar_us_x4_ = rttvar_us_x4_ - (rttvar_us_x4_ >> 2) + deviation;
    srtt_us_x8_ = srtt_us_x8_ - (srtt_us_x8_ >> 3) + r;
  }
  // RTO <- SRTT + max(G, 4 RTTVAR)
  const std::uint32_t rto = (srtt_us_x8_ >> 3) + std::max(kGranularityUs, rttvar_us_x4_);
  base_rto_us_ = std::min(std::max(rto, bounds.min_us), bounds.max_us);
  reset_back_off();
}

void RttEstimator::back_off(const TcpConfig& config) {
  rto_us_ = static_cast<std::uint32_t>(
      std::min(std::uint64_t{rto_us_} * 2, std::uint64_t{to_us(config.max_rto)}));
  if (back_off_count_ < UINT8_MAX) ++back_off_count_;
}

void RttEstimator::reset_back_off() {
  rto_us_ = base_rto_us_;
  back_off_count_ = 0;
}

void RttEstimator::on_syn_retransmitted(const TcpConfig& config) {
  if (to_us(config.initial_rto) < kSynLossRtoUs) {
    base_rto_us_ = std::min(kSynLossRtoUs, to_us(config.max_rto));
  }
  reset_back_off();
}

}  // namespace tern::tcp
