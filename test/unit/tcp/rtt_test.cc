// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/rtt.h"

#include <gtest/gtest.h>

namespace tern::tcp {
namespace {

TEST(RttEstimator, BeginsWithTheInitialRto) {
  EXPECT_EQ(RttEstimator().rto(), 1s);
  TcpConfig config;
  config.initial_rto = 250ms;
  const RttEstimator rtt(config);
  EXPECT_EQ(rtt.rto(), 250ms);
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.srtt(), 0s);
  EXPECT_EQ(rtt.back_off_count(), 0u);
}

TEST(RttEstimator, TheInitialRtoKeepsTheBounds) {
  TcpConfig config;
  config.initial_rto = 1ms;
  EXPECT_EQ(RttEstimator(config).rto(), 200ms);
  config.initial_rto = 100s;
  EXPECT_EQ(RttEstimator(config).rto(), 60s);
}

TEST(RttEstimator, FirstSample) {  // RFC 6298 2.2
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(100ms, config);
  EXPECT_TRUE(rtt.has_sample());
  EXPECT_EQ(rtt.srtt(), 100ms);
  EXPECT_EQ(rtt.rttvar(), 50ms);
  EXPECT_EQ(rtt.rto(), 300ms);  // 100 + 4 x 50
}

TEST(RttEstimator, LaterSamples) {  // RFC 6298 2.3, RTTVAR before SRTT
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(100ms, config);
  rtt.sample(180ms, config);
  EXPECT_EQ(rtt.rttvar(), 57500us);  // 3/4 x 50 + 1/4 x |100 - 180|
  EXPECT_EQ(rtt.srtt(), 110ms);      // 7/8 x 100 + 1/8 x 180
  EXPECT_EQ(rtt.rto(), 340ms);       // 110 + 4 x 57.5
  rtt.sample(30ms, config);
  EXPECT_EQ(rtt.rttvar(), 63125us);  // 3/4 x 57.5 + 1/4 x 80
  EXPECT_EQ(rtt.srtt(), 100ms);      // 7/8 x 110 + 1/8 x 30
  EXPECT_EQ(rtt.rto(), 352500us);
}

TEST(RttEstimator, ASteadyRttLeavesOnlyTheGranularity) {
  TcpConfig config;
  config.min_rto = 0s;
  RttEstimator rtt(config);
  for (int i = 0; i < 200; ++i) rtt.sample(10ms, config);
  EXPECT_EQ(rtt.srtt(), 10ms);
  EXPECT_LE(rtt.rttvar(), 25us);
  EXPECT_EQ(rtt.rto(), 10100us);  // SRTT + G
}

TEST(RttEstimator, ConvergesFromAboveAndBelow) {
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(1s, config);
  for (int i = 0; i < 300; ++i) rtt.sample(1ms, config);
  EXPECT_EQ(rtt.srtt(), 1ms);
  for (int i = 0; i < 300; ++i) rtt.sample(700us, config);
  EXPECT_EQ(rtt.srtt(), 700us);
}

TEST(RttEstimator, RtoKeepsTheBounds) {
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(50us, config);
  EXPECT_EQ(rtt.srtt(), 50us);
  EXPECT_EQ(rtt.rto(), 200ms);
  RttEstimator slow(config);
  slow.sample(40s, config);
  EXPECT_EQ(slow.rto(), 60s);  // 40 + 4 x 20 = 120
}

TEST(RttEstimator, OddSamplesDoNoHarm) {
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(0s, config);
  EXPECT_EQ(rtt.rto(), 200ms);
  rtt.sample(-5s, config);
  EXPECT_EQ(rtt.srtt(), 0s);
  RttEstimator endless(config);
  for (int i = 0; i < 100; ++i) endless.sample(Duration::max(), config);
  EXPECT_EQ(endless.srtt(), std::chrono::microseconds(1 << 28));
  EXPECT_EQ(endless.rto(), 60s);
  for (int i = 0; i < 100; ++i) endless.sample(i % 2 ? Duration::max() : Duration(0), config);
  EXPECT_EQ(endless.rto(), 60s);
}

TEST(RttEstimator, BacksOffByDoublingUpToTheMaximum) {  // RFC 6298 5.5
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.sample(100ms, config);
  const Duration expected[] = {600ms, 1200ms, 2400ms, 4800ms, 9600ms, 19200ms, 38400ms, 60s, 60s};
  for (const Duration e : expected) {
    rtt.back_off(config);
    EXPECT_EQ(rtt.rto(), e);
  }
  EXPECT_EQ(rtt.back_off_count(), 9u);
  for (int i = 0; i < 1000; ++i) rtt.back_off(config);
  EXPECT_EQ(rtt.rto(), 60s);
  EXPECT_EQ(rtt.back_off_count(), 255u);
}

TEST(RttEstimator, ResetAndSampleEndTheBackOff) {
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.back_off(config);
  EXPECT_EQ(rtt.rto(), 2s);
  rtt.reset_back_off();
  EXPECT_EQ(rtt.rto(), 1s);
  rtt.back_off(config);
  rtt.sample(100ms, config);
  EXPECT_EQ(rtt.rto(), 300ms);
  EXPECT_EQ(rtt.back_off_count(), 0u);
  rtt.back_off(config);
  rtt.reset_back_off();
  EXPECT_EQ(rtt.rto(), 300ms);
}

TEST(RttEstimator, ALostSynMakesTheFirstDataRtoThreeSeconds) {  // RFC 6298 5.7
  TcpConfig config;
  RttEstimator rtt(config);
  rtt.back_off(config);
  rtt.on_syn_retransmitted(config);
  EXPECT_EQ(rtt.rto(), 3s);
  EXPECT_EQ(rtt.back_off_count(), 0u);
  rtt.back_off(config);
  EXPECT_EQ(rtt.rto(), 6s);
  rtt.reset_back_off();
  EXPECT_EQ(rtt.rto(), 3s);
  rtt.sample(100ms, config);
  EXPECT_EQ(rtt.rto(), 300ms);
}

TEST(RttEstimator, ALostSynLeavesALongerInitialRto) {
  TcpConfig config;
  config.initial_rto = 5s;
  RttEstimator rtt(config);
  rtt.on_syn_retransmitted(config);
  EXPECT_EQ(rtt.rto(), 5s);
  config.initial_rto = 1s;
  config.max_rto = 2s;
  RttEstimator bounded(config);
  bounded.on_syn_retransmitted(config);
  EXPECT_EQ(bounded.rto(), 2s);
}

}  // namespace
}  // namespace tern::tcp
