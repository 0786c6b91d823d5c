// SPDX-License-Identifier: BSD-3-Clause
//
// Runs the fuzz corpus through the fuzz target in every build, with no fuzzer. A file is named
// OUTCOME-what, where OUTCOME is a drop reason without its "drop_" or the kind of frame, so that
// the corpus keeps reaching what it was made to reach. An input that a fuzzer found joins it under
// such a name.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "parse_fuzz.h"

namespace tern::wire {
namespace {

struct Input {
  std::string name;
  std::vector<char> bytes;
};

std::vector<Input> corpus() {
  std::vector<Input> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(TERN_PARSE_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.push_back({entry.path().filename().string(),
                      {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}});
  }
  return inputs;
}

std::string outcome_of(const ParsedFrame& frame) {
  static const std::map<DropReason, std::string> kReasons{
#define TERN_COUNTER(name, unit, sentence)
#define TERN_DROP(name, sentence) {DropReason::name, #name},
#include "tern/counters.def"
#undef TERN_COUNTER
#undef TERN_DROP
  };
  switch (frame.kind) {
    case FrameKind::kTcp4:
      return "tcp4";
    case FrameKind::kArp:
      return "arp4";
    case FrameKind::kIcmp4:
      return "icmp4";
    case FrameKind::kTcp6:
      return "tcp6";
    case FrameKind::kIcmp6:
      return "icmp6";
    case FrameKind::kProblem6:
      return "problem6";
    case FrameKind::kFragment:
      return "fragment";
    case FrameKind::kDrop:
      break;
  }
  return kReasons.at(frame.drop).substr(std::string("drop_").size());
}

TEST(ParseCorpus, EveryInputHasTheOutcomeOfItsName) {
  for (const Input& input : corpus()) {
    const ParsedFrame out = fuzz_parse(std::as_bytes(std::span(input.bytes)));
    EXPECT_EQ(outcome_of(out), input.name.substr(0, input.name.find('-'))) << input.name;
  }
}

TEST(ParseCorpus, EveryPrefixOfEveryInputIsHarmless) {  // fuzz_parse aborts otherwise
  std::size_t count = 0;
  for (const Input& input : corpus()) {
    const auto bytes = std::as_bytes(std::span(input.bytes));
    for (std::size_t length = 0; length < bytes.size(); ++length, ++count) {
      fuzz_parse(bytes.first(length));
    }
  }
  EXPECT_GT(count, 1000u);
}

TEST(ParseCorpus, ReachesEveryOutcomeOfParsing) {
  std::set<std::string> reached;
  for (const Input& input : corpus()) {
    reached.insert(outcome_of(fuzz_parse(std::as_bytes(std::span(input.bytes)))));
  }
  const std::set<std::string> expected{
      "tcp6",      "icmp6",       "problem6",   "ip_extension", "tcp4",       "arp4",
      "icmp4",     "truncated",   "not_for_us", "ethertype",    "ip_header",  "ip_checksum",
      "ip_option", "ip_fragment", "ip_source",  "ip_protocol",  "tcp_header", "tcp_checksum",
      "fragment",  "vlan",        "tcp_flags",  "tcp_options",  "arp",        "icmp"};
  EXPECT_EQ(reached, expected);
}

}  // namespace
}  // namespace tern::wire
