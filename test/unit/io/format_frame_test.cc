// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/format_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

#include "base/prng.h"
#include "io/tap/pcapng_writer.h"
#include "io/tap/trace_port.h"
#include "support/external_tool.h"
#include "support/script_port.h"
#include "support/segment.h"

namespace tern::io {
namespace {

using test::Bytes;
using test::Segment;

TEST(FormatFrame, DataSegment) {
  const Segment segment{.path = {.source = Ipv4Address(10, 0, 1, 2),
                                 .destination = Ipv4Address(10, 0, 2, 2),
                                 .source_port = 47762,
                                 .destination_port = 9999},
                        .flags = "P.",
                        .seq = 1,
                        .ack = 1,
                        .window = 229,
                        .ts = {1, 2},
                        .payload = "abcd"};
  EXPECT_EQ(format_frame(test::build(segment)),
            "IP 10.0.1.2.47762 > 10.0.2.2.9999: Flags [P.], seq 1:5, ack 1, win 229, "
            "options [nop,nop,TS val 1 ecr 2], length 4");
}

TEST(FormatFrame, SynWithItsOptions) {
  const Segment segment{.flags = "S",
                        .seq = 100,
                        .window = 64240,
                        .mss = 1460,
                        .sack_permitted = true,
                        .ts = {7, 0},
                        .wscale = 7};
  EXPECT_EQ(format_frame(test::build(segment)),
            "IP 10.0.0.2.40000 > 10.0.0.1.7000: Flags [S], seq 100, win 64240, "
            "options [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7], length 0");
}

TEST(FormatFrame, Arp) {
  EXPECT_EQ(format_frame(test::build(test::Arp{})),
            "ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28");
  EXPECT_EQ(format_frame(test::build(test::Arp{.operation = 2})),
            "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28");
}

TEST(FormatFrame, AnyBytesAtAll) {
  Prng prng(1);
  const Bytes frame = test::build(Segment{.flags = "S", .mss = 1460, .ts = {1, 2}, .payload = "x"});
  EXPECT_EQ(format_frame({}), "[|ether]");
  for (int i = 0; i < 20'000; ++i) {
    // In a block of its own, for AddressSanitizer.
    Bytes hostile(frame.begin(),
                  frame.begin() + prng.below(static_cast<std::uint32_t>(frame.size() + 1)));
    for (std::uint32_t n = prng.below(4); n > 0 && !hostile.empty(); --n)
      hostile[prng.below(static_cast<std::uint32_t>(hostile.size()))] =
          static_cast<std::byte>(prng.next());
    EXPECT_FALSE(format_frame(hostile).empty());
  }
}

// A conversation of many shapes, in both directions and with a second
// connection between the ports.
std::vector<Bytes> conversation() {
  const test::Path there;
  const test::Path back = there.reversed();
  test::Path other = there;
  other.source_port = other.destination_port;  // equal ports: the addresses decide whose is which
  std::vector<Bytes> frames;
  const auto add = [&](const auto& description) { frames.push_back(test::build(description)); };
  add(test::Arp{});
  add(test::Arp{.operation = 2, .target_mac = {{2, 0, 0, 0, 0, 1}}});
  add(test::Arp{.target_mac = {{2, 0, 0, 0, 0, 1}}});
  add(Segment{.path = there,
              .flags = "S",
              .seq = 0xfffffff0,
              .mss = 1460,
              .sack_permitted = true,
              .ts = {1, 0},
              .wscale = 7});
  add(Segment{.path = back,
              .flags = "S.",
              .seq = 2000,
              .ack = 0xfffffff1,
              .mss = 1400,
              .sack_permitted = true,
              .ts = {9, 1},
              .wscale = 0});
  add(Segment{.path = there, .flags = ".", .seq = 0xfffffff1, .ack = 2001, .ts = {2, 9}});
  add(Segment{.path = there,
              .flags = "P.",
              .seq = 0xfffffff1,
              .ack = 2001,
              .ts = {2, 9},
              .payload = "a payload that wraps the numbers"});
  add(Segment{.path = back,
              .flags = ".",
              .seq = 2001,
              .ack = 0xfffffff1,
              .ts = {10, 2},
              .sack = {{0xfffffffa, 5}, {7, 9}}});
  add(Segment{.path = there, .flags = ".", .seq = 17, .ack = 2001, .sack = {{2005, 2008}}});
  add(Segment{
      .path = back, .flags = "PU.EW", .seq = 2001, .ack = 17, .urgent = 3, .payload = "urgent"});
  add(Segment{
      .path = there, .flags = "F.", .seq = 17, .ack = 2007, .payload = "last", .pad_to = 80});
  add(Segment{.path = back, .flags = "FR", .seq = 2007});
  add(Segment{.path = back, .flags = "", .seq = 2007});
  add(Segment{.path = other, .flags = "S.", .seq = 5, .ack = 6});
  add(Segment{
      .path = other.reversed(), .flags = ".", .seq = 6, .ack = 6, .tcp_checksum_ok = false});
  add(Segment{.path = other, .flags = "P.", .seq = 6, .ack = 6, .payload = "x"});
  add(test::Datagram{.payload = test::to_bytes(std::string("\x08\0\0\0\x12\x34\0\x07"
                                                           "data",
                                                           12))});
  add(test::Datagram{.payload = test::to_bytes(std::string("\0\0\0\0\x12\x34\0\x07"
                                                           "data",
                                                           12))});
  return frames;
}

std::string capture_file(const std::vector<Bytes>& frames, const std::string& name) {
  const std::string path = testing::TempDir() + name + std::to_string(::getpid()) + ".pcapng";
  auto writer = PcapngWriter::open(path, {});
  EXPECT_TRUE(writer.ok()) << writer.status();
  (*writer)->add_interface("sim0");
  for (const Bytes& frame : frames)
    (*writer)->write_frame(0, Instant{}, FrameDirection::kSent, frame, {});
  EXPECT_TRUE((*writer)->close().ok());
  return path;
}

// What tcpdump prints, a line each. `flags` besides -n -t.
std::vector<std::string> tcpdump_lines(const std::vector<Bytes>& frames, const std::string& flags) {
  const std::string path = capture_file(frames, "format_frame");
  const auto output = test::output_of("tcpdump -n -t " + flags + " -r " + path + " 2>/dev/null");
  ::unlink(path.c_str());
  EXPECT_TRUE(output.has_value()) << "tcpdump failed";
  std::istringstream stream(output.value_or(""));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(FormatFrame, AbsoluteNumbersAsTcpdumpPrintsThem) {
  if (!test::have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  std::vector<std::string> ours;
  for (const Bytes& frame : conversation()) ours.push_back(format_frame(frame));
  EXPECT_EQ(ours, tcpdump_lines(conversation(), "-S"));
}

TEST(FormatFrame, RelativeNumbersAsTcpdumpPrintsThem) {
  if (!test::have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  RelativeFormatter relative;
  std::vector<std::string> ours;
  for (const Bytes& frame : conversation()) ours.push_back(relative(frame));
  EXPECT_EQ(ours, tcpdump_lines(conversation(), ""));
}

// Random options out of every kind that is printed, whole and broken, and
// unknown ones.
Bytes random_options(Prng& prng) {
  Bytes options;
  const auto add = [&](std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes) options.push_back(static_cast<std::byte>(b));
  };
  while (options.size() < 28) {
    switch (prng.below(8)) {
      case 0:
        add({1});
        break;
      case 1:
        add({2, 4, prng.below(256), prng.below(256)});
        break;
      case 2:
        add({3, 3, prng.below(15)});
        break;
      case 3:
        add({4, 2});
        break;
      case 4:
        add({8, 10, 0, 0, 1, prng.below(256), 0, 0, 2, 3});
        break;
      case 5:
        add({5, 10, 0, 0, 0, prng.below(9), 0, 0, 0, 99});
        break;
      case 6:
        add({200, 5, prng.below(256), 2, 3});
        break;
      default:
        if (prng.below(8) == 0) add({0});
        break;
    }
  }
  options.resize((options.size() + 3) / 4 * 4, std::byte{1});
  return options;
}

TEST(FormatFrame, RandomOptionsAsTcpdumpPrintsThem) {
  if (!test::have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  Prng prng(20);
  std::vector<Bytes> frames;
  std::vector<std::string> ours;
  for (std::uint32_t i = 0; i < 500; ++i) {
    frames.push_back(
        test::build(Segment{.flags = ".", .seq = i, .raw_options = random_options(prng)}));
    ours.push_back(format_frame(frames.back()));
  }
  const std::vector<std::string> theirs = tcpdump_lines(frames, "-S");
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i], theirs[i]);
}

TEST(FormatFrame, BadOptionsAsTcpdumpPrintsThem) {
  if (!test::have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  const auto with_options = [](std::initializer_list<unsigned> bytes) {
    Segment segment;
    for (const unsigned b : bytes) segment.raw_options.push_back(static_cast<std::byte>(b));
    return test::build(segment);
  };
  const std::vector<Bytes> frames{
      with_options({1, 1, 8, 10, 0, 0, 0, 1}),  // beyond the header
      with_options({1, 2, 0, 0}),               // a length of 0
      with_options({1, 2, 1, 0}),               // and of 1
      with_options({1, 0, 7, 7}),               // the end, with more behind it
  };
  std::vector<std::string> ours;
  for (const Bytes& frame : frames) ours.push_back(format_frame(frame));
  EXPECT_EQ(ours, tcpdump_lines(frames, "-S"));
}

TEST(TracePort, PrintsWhatPasses) {
  test::ScriptPort inner;
  std::vector<std::string> lines;
  TracePort port(
      inner, [] { return Instant(Duration(1'000'002'000)); },
      [&](std::string_view line) { lines.emplace_back(line); });
  inner.inject(Segment{.flags = "S", .seq = 100, .window = 10});
  Frame frame;
  ASSERT_EQ(port.receive({&frame, 1}), 1u);
  inner.set_transmit_limit(0);
  EXPECT_EQ(port.transmit({&frame, 1}), 0u);  // not taken: not printed
  inner.set_transmit_limit(1);
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  const std::string text =
      "IP 10.0.0.2.40000 > 10.0.0.1.7000: Flags [S], seq 100, win 10, length 0";
  EXPECT_THAT(lines, testing::ElementsAre("1.000002000 In " + text, "1.000002000 Out " + text));
}

TEST(TracePort, OptionsChooseTimeAndNumbers) {
  test::ScriptPort inner;
  std::vector<std::string> lines;
  TracePort port(
      inner, [] { return Instant{}; }, [&](std::string_view line) { lines.emplace_back(line); },
      {.relative_seq = false, .show_time = false});
  for (std::uint32_t i = 0; i < 2; ++i) inner.inject(Segment{.seq = 9, .ack = 5 + i, .window = 1});
  std::array<Frame, 2> frames;
  ASSERT_EQ(port.receive(frames), 2u);
  port.release(frames);
  EXPECT_THAT(lines.back(), testing::EndsWith("Flags [.], ack 6, win 1, length 0"));
  EXPECT_THAT(lines.back(), testing::StartsWith("IP "));
}

}  // namespace
}  // namespace tern::io
