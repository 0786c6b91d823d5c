// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "filter.h"

namespace ss {
namespace {

using app::Socket;
using tern::TcpState;
using testing::HasSubstr;
using enum tern::TcpState;

Socket make_socket(const std::string& local, const std::string& peer,
                   TcpState state = kEstablished) {
  return {.state = state,
          .local = *app::parse_endpoint(local),
          .peer = *app::parse_endpoint(peer),
          .details = {}};
}

const Socket kClient = make_socket("10.0.2.2:9999", "10.0.1.2:47762");
const Socket kOther = make_socket("10.0.2.2:80", "192.168.7.9:1024", kTimeWait);
const Socket kSix = make_socket("[fd00::2]:9999", "[fd00::1:7]:5555");

// The words as a shell would divide them, or as one quoted argument: it is the same.
bool admits(const std::string& text, const Socket& socket) {
  const auto filter = parse_filter({text}, all_states());
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() && filter->admits(socket);
}

std::string error_of(const std::vector<std::string>& words) {
  const auto filter = parse_filter(words, all_states());
  return filter.ok() ? "" : std::string(filter.status().message());
}

TEST(SsFilter, NothingAdmitsEverything) {
  EXPECT_TRUE(admits("", kClient));
  EXPECT_TRUE(admits("", kSix));
}

TEST(SsFilter, PortsCompare) {
  EXPECT_TRUE(admits("sport = :9999", kClient));
  EXPECT_TRUE(admits("sport=:9999", kClient));
  EXPECT_TRUE(admits("sport eq 9999", kClient));
  EXPECT_FALSE(admits("sport == :80", kClient));
  EXPECT_TRUE(admits("sport != :80", kClient));
  EXPECT_TRUE(admits("dport > :1024", kClient));
  EXPECT_FALSE(admits("dport > :1024", kOther));
  EXPECT_TRUE(admits("dport >= :1024", kOther));
  EXPECT_TRUE(admits("dport le 1024", kOther));
  EXPECT_FALSE(admits("dport lt 1024", kOther));
  EXPECT_TRUE(admits("sport = :http", kOther));
}

TEST(SsFilter, HostsMatchByPrefix) {
  EXPECT_TRUE(admits("dst 10.0.1.2", kClient));
  EXPECT_TRUE(admits("dst 10.0.1.2:47762", kClient));
  EXPECT_FALSE(admits("dst 10.0.1.2:47763", kClient));
  EXPECT_TRUE(admits("dst 10.0.1.0/24", kClient));
  EXPECT_FALSE(admits("dst 10.0.0.0/24", kClient));
  EXPECT_TRUE(admits("dst 10.0.0.0/23", kClient));
  EXPECT_TRUE(admits("dst 0.0.0.0/0", kClient));
  EXPECT_FALSE(admits("dst 0.0.0.0/0", kSix));
  EXPECT_TRUE(admits("src :9999", kClient));
  EXPECT_TRUE(admits("src *:9999", kClient));
  EXPECT_TRUE(admits("dst [fd00::1:7]:5555", kSix));
  EXPECT_TRUE(admits("dst fd00::/16", kSix));
  EXPECT_FALSE(admits("dst fd00::/127", kSix));
}

TEST(SsFilter, WordsCombine) {
  EXPECT_TRUE(admits("sport = :9999 and dst 10.0.1.2", kClient));
  EXPECT_TRUE(admits("sport = :9999 dst 10.0.1.2", kClient));  // nothing between means "and"
  EXPECT_FALSE(admits("sport = :9999 & dst 10.0.1.3", kClient));
  EXPECT_TRUE(admits("sport = :80 or sport = :9999", kClient));
  EXPECT_TRUE(admits("sport = :80 || sport = :9999", kClient));
  EXPECT_FALSE(admits("not sport = :9999", kClient));
  EXPECT_FALSE(admits("! sport = :9999", kClient));
  EXPECT_TRUE(admits("not not sport = :9999", kClient));
}

TEST(SsFilter, AndBindsCloserThanOr) {
  EXPECT_TRUE(admits("sport = :9999 or sport = :80 and dst 1.2.3.4", kClient));
  EXPECT_FALSE(admits("( sport = :9999 or sport = :80 ) and dst 1.2.3.4", kClient));
  EXPECT_FALSE(admits("(sport=:9999||sport=:80)&dst 1.2.3.4", kClient));
  EXPECT_TRUE(admits("not ( sport = :80 or dport = :80 )", kClient));
}

TEST(SsFilter, StatesHaveSssNames) {
  EXPECT_TRUE(admits("state time-wait", kOther));
  EXPECT_FALSE(admits("state time-wait", kClient));
  EXPECT_TRUE(admits("state TIME-WAIT", kOther));
  EXPECT_TRUE(admits("state established state time-wait", kOther));
  EXPECT_FALSE(admits("exclude time-wait", kOther));
  EXPECT_TRUE(admits("exclude time-wait", kClient));
  EXPECT_FALSE(admits("state all exclude bucket", kOther));
  EXPECT_TRUE(admits("state big", kClient));
  EXPECT_TRUE(admits("state connected sport = :80", kOther));
  EXPECT_FALSE(admits("state synchronized", make_socket("1.2.3.4:1", "1.2.3.4:2", kSynSent)));
}

TEST(SsFilter, OptionsChooseTheStatesThatNobodyNames) {
  const Socket listener = make_socket("0.0.0.0:9999", "0.0.0.0:0", kListen);
  EXPECT_FALSE(parse_filter({}, default_states())->admits(listener));
  EXPECT_FALSE(parse_filter({}, default_states())->admits(kOther));
  EXPECT_TRUE(parse_filter({}, default_states())->admits(kClient));
  EXPECT_TRUE(parse_filter({}, listening_states())->admits(listener));
  EXPECT_TRUE(parse_filter({"state", "time-wait"}, listening_states())->admits(kOther));
}

TEST(SsFilter, MistakesAreNamed) {
  EXPECT_THAT(error_of({"state", "asleep"}), HasSubstr("'asleep' is no TCP state"));
  EXPECT_THAT(error_of({"state"}), HasSubstr("'' is no TCP state"));
  EXPECT_THAT(error_of({"(", "sport", "=", ":1"}), HasSubstr("')' is missing"));
  EXPECT_THAT(error_of({"sport", "=", ":1", ")"}), HasSubstr("')' is not expected"));
  EXPECT_THAT(error_of({"sport", "~", ":1"}), HasSubstr("'~' does not compare"));
  EXPECT_THAT(error_of({"sport", "=", ":99999"}), HasSubstr("':99999' is not a port"));
  EXPECT_THAT(error_of({"dst", "10.0.0.300"}), HasSubstr("'10.0.0.300' is not an address"));
  EXPECT_THAT(error_of({"dst", "10.0.0.0/33"}), HasSubstr("is not an address"));
  EXPECT_THAT(error_of({"dst"}), HasSubstr("is not an address"));
  EXPECT_THAT(error_of({"sport", "=", ":1", "or"}), HasSubstr("missing at the end"));
  EXPECT_THAT(error_of({"not"}), HasSubstr("missing at the end"));
  EXPECT_THAT(error_of({"bogus"}), HasSubstr("'bogus' is not expected"));
}

// iproute2's ss takes these as well.
TEST(SsFilter, AnOperatorMayBeMissingAndAFamilyMayStand) {
  EXPECT_TRUE(admits("sport :9999", kClient));
  EXPECT_FALSE(admits("sport :80", kClient));
  EXPECT_TRUE(admits("sport :9999 and dport :47762", kClient));
  EXPECT_TRUE(admits("dst != 10.0.1.3", kClient));
  EXPECT_FALSE(admits("dst ne 10.0.1.2", kClient));
  EXPECT_TRUE(admits("dst inet:10.0.1.2", kClient));
  EXPECT_TRUE(admits("src inet:*:9999", kClient));
  EXPECT_FALSE(admits("src inet6:*:9999", kClient));
  EXPECT_TRUE(admits("src inet6:*:9999", kSix));
  EXPECT_TRUE(admits("src inet6:[fd00::2]:9999", kSix));
  EXPECT_THAT(error_of({"dst", "inet6:10.0.1.2"}), HasSubstr("'inet6:10.0.1.2'"));
}

}  // namespace
}  // namespace ss
