// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "io/tap/pcapng_writer.h"
#include "packet_text.h"
#include "pcapng_reader.h"

namespace dump {
namespace {

using tern::Instant;
using tern::io::FrameDirection;
using tern::io::PcapngWriter;
using testing::HasSubstr;
using testing::MatchesRegex;

// An ARP request: 10.0.2.1 asks for 10.0.2.2.
std::vector<std::byte> arp_request() {
  const std::uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  1, 8, 6,
                                0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 1,
                                10,   0,    2,    1,    0,    0,    0, 0, 0, 0, 10, 0, 2, 2};
  const auto span = std::as_bytes(std::span(bytes));
  return {span.begin(), span.end()};
}

/// What a PcapngWriter makes of two frames, one of them dropped.
std::vector<std::byte> capture() {
  const std::string path = testing::TempDir() + "tern-dump-" + std::to_string(::getpid());
  {
    auto writer = PcapngWriter::open(path, {});
    EXPECT_TRUE(writer.ok());
    (*writer)->add_interface("net_tap0");
    (*writer)->write_frame(0, Instant(std::chrono::nanoseconds(1'234'567'890)),
                           FrameDirection::kReceived, arp_request(), "dropped: because");
    (*writer)->write_frame(0, Instant(std::chrono::nanoseconds(2'000'000'000)),
                           FrameDirection::kSent, arp_request(), "");
    EXPECT_TRUE((*writer)->close().ok());
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::filesystem::remove(path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

struct Seen {
  std::uint64_t time_ns;
  bool sent;
  std::string comment;
  std::size_t bytes;
  friend bool operator==(const Seen&, const Seen&) = default;
};

TEST(PcapngReader, ReadsWhatTheWriterWroteInAnyPieces) {
  const auto bytes = capture();
  for (std::size_t piece = 1; piece <= bytes.size(); piece += piece < 40 ? 1 : 37) {
    std::vector<Seen> seen;
    PcapngReader reader([&](const Packet& p) {
      seen.push_back({p.time_ns, p.sent, p.comment, p.frame.size()});
    });
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      EXPECT_TRUE(reader.feed(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at))));
    EXPECT_EQ(seen, (std::vector<Seen>{{1'234'567'890, false, "dropped: because", 42},
                                       {2'000'000'000, true, "", 42}}));
  }
}

TEST(PcapngReader, RefusesWhatIsNoCapture) {
  PcapngReader reader([](const Packet&) { FAIL(); });
  const std::string text = "this is no capture at all";
  EXPECT_FALSE(reader.feed(std::as_bytes(std::span(text))));
}

TEST(PcapngReader, SurvivesAnyDamage) {
  const auto bytes = capture();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{0xff};
    PcapngReader reader([](const Packet& p) { EXPECT_LE(p.frame.size(), 2000u); });
    reader.feed(damaged);
  }
}

TEST(PacketText, ReadsAsTcpdump) {
  PacketText text({});
  const auto frame = arp_request();
  EXPECT_THAT(
      text({.time_ns = 1'234'567'890, .sent = false, .frame = frame, .comment = ""}),
      MatchesRegex("[0-9:]{8}.234567 In  ARP, Request who-has 10.0.2.2 tell 10.0.2.1, length "
                   "28\n"));
  EXPECT_THAT(
      text({.time_ns = 0, .sent = true, .frame = frame, .comment = "dropped: because"}),
      HasSubstr(" Out ARP, Request who-has 10.0.2.2 tell 10.0.2.1, length 28  [dropped: because]"));
}

TEST(PacketText, HexLooksAsTcpdumpsDoes) {
  auto frame = arp_request();
  frame.push_back(std::byte{'a'});
  EXPECT_EQ(hex_text(frame),
            "\t0x0000:  0001 0800 0604 0001 0200 0000 0001 0a00  ................\n"
            "\t0x0010:  0201 0000 0000 0000 0a00 0202 61         ............a\n");
}

TEST(WholeBlocks, EndsBehindTheLastWholeOne) {
  std::vector<std::byte> bytes(12 + 16 + 20);
  const std::uint32_t lengths[] = {12, 16, 20};
  std::memcpy(bytes.data() + 4, &lengths[0], 4);
  std::memcpy(bytes.data() + 12 + 4, &lengths[1], 4);
  std::memcpy(bytes.data() + 28 + 4, &lengths[2], 4);
  const std::size_t expected[] = {0, 12, 28, 48};
  for (std::size_t size = 0; size <= bytes.size(); ++size)
    EXPECT_EQ(whole_blocks(std::span(bytes).first(size), 100).bytes,
              expected[(size >= 12) + (size >= 28) + (size >= 48)])
        << size;
}

TEST(WholeBlocks, EndsBehindTheLastPacketWanted) {
  // A section header, then two packets and what stands between them.
  std::vector<std::byte> bytes(5 * 12);
  const std::uint32_t types[] = {0x0a0d0d0a, 6, 5, 6, 5};
  for (std::size_t i = 0; i < std::size(types); ++i) {
    const std::uint32_t head[] = {types[i], 12};
    std::memcpy(bytes.data() + 12 * i, head, sizeof head);
  }
  const auto of = [&](std::uint64_t limit) {
    const Blocks blocks = whole_blocks(bytes, limit);
    return std::pair(blocks.bytes, blocks.packets);
  };
  EXPECT_EQ(of(1), std::pair(std::size_t{24}, std::uint64_t{1}));
  EXPECT_EQ(of(2), std::pair(std::size_t{48}, std::uint64_t{2}));
  EXPECT_EQ(of(3), std::pair(std::size_t{60}, std::uint64_t{2}));
}

}  // namespace
}  // namespace dump
