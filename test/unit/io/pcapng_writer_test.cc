// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/pcapng_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

#include "io/tap/capture_port.h"
#include "support/external_tool.h"
#include "support/script_port.h"
#include "support/segment.h"

namespace tern::io {
namespace {

using namespace std::chrono_literals;
using test::Bytes;
using test::Segment;
using testing::HasSubstr;

// 2024-01-02 03:04:05 UTC
constexpr Duration kEpoch = std::chrono::seconds(1'704'164'645);

class PcapngFile : public testing::Test {
 protected:
  ~PcapngFile() override { ::unlink(path_.c_str()); }

  std::unique_ptr<PcapngWriter> open(const PcapngOptions& options = {}) {
    auto writer = PcapngWriter::open(path_, options);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return std::move(*writer);
  }
  Bytes contents() const {
    std::ifstream in(path_, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return test::to_bytes(text);
  }
  std::string tool(const std::string& command) const {
    return test::output_of(command + " -r " + path_ + " 2>/dev/null").value_or("it failed");
  }

  const std::string path_ = testing::TempDir() + "pcapng_writer" + std::to_string(::getpid());
};

std::uint32_t u32_at(const Bytes& bytes, std::size_t offset) {
  std::uint32_t value;
  std::memcpy(&value, &bytes.at(offset), 4);
  return value;
}

// The types of the blocks, after checking that both lengths of each agree and
// that they fill the file.
std::vector<std::uint32_t> block_types(const Bytes& file) {
  std::vector<std::uint32_t> types;
  std::size_t offset = 0;
  while (offset + 12 <= file.size()) {
    const std::uint32_t length = u32_at(file, offset + 4);
    EXPECT_EQ(length % 4, 0u);
    EXPECT_EQ(u32_at(file, offset + length - 4), length);
    types.push_back(u32_at(file, offset));
    offset += length;
  }
  EXPECT_EQ(offset, file.size());
  return types;
}

TEST_F(PcapngFile, BlocksAreWhole) {
  auto writer = open();
  EXPECT_EQ(writer->add_interface("sim0"), 0u);
  for (std::size_t bytes = 60; bytes < 64; ++bytes)
    writer->write_frame(0, Instant{}, FrameDirection::kSent, Bytes(bytes), "odd");
  EXPECT_EQ(writer->frames_written(), 4u);
  EXPECT_TRUE(writer->close().ok());
  EXPECT_TRUE(writer->close().ok());
  EXPECT_THAT(block_types(contents()), testing::ElementsAre(0x0a0d0d0au, 1u, 6u, 6u, 6u, 6u));
}

TEST_F(PcapngFile, TcpdumpReadsTimesToTheNanosecond) {
  if (!test::have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  auto writer = open({.epoch_offset = kEpoch});
  writer->add_interface("sim0");
  writer->write_frame(0, Instant(123456789ns), FrameDirection::kSent,
                      test::build(Segment{.flags = "S", .seq = 1, .window = 2}), {});
  ASSERT_TRUE(writer->close().ok());
  EXPECT_EQ(tool("tcpdump -n -tt --nano"),
            "1704164645.123456789 IP 10.0.0.2.40000 > 10.0.0.1.7000: Flags "
            "[S], seq 1, win 2, "
            "length 0\n");
}

TEST_F(PcapngFile, TsharkReadsDirectionInterfaceCommentAndTime) {
  if (!test::have_program("tshark")) GTEST_SKIP() << "tshark is not installed";
  auto writer = open({.epoch_offset = kEpoch, .snap_length = 70});
  writer->add_interface("left");
  writer->add_interface("right");
  const Bytes frame = test::build(Segment{.flags = "S", .payload = std::string(50, 'x')});
  writer->write_frame(0, Instant(1ns), FrameDirection::kReceived, frame, "dropped: bad weather");
  writer->write_frame(1, Instant(2ns), FrameDirection::kSent, frame, {});
  ASSERT_TRUE(writer->close().ok());
  EXPECT_EQ(tool("tshark -T fields -E separator=/s -e frame.interface_name -e "
                 "frame.time_epoch "
                 "-e frame.packet_flags_direction -e frame.len -e "
                 "frame.cap_len -e frame.comment"),
            "left 1704164645.000000001 0x00000001 104 70 dropped: bad weather\n"
            "right 1704164645.000000002 0x00000002 104 70 \n");
}

TEST_F(PcapngFile, TsharkFindsNothingMalformedAndGoodChecksums) {
  if (!test::have_program("tshark")) GTEST_SKIP() << "tshark is not installed";
  auto writer = open();
  writer->add_interface("sim0");
  std::uint32_t seq = 0;
  for (std::uint32_t n = 0; n < 50; seq += n++) {
    const Segment segment{.seq = seq, .ts = {1, 2}, .payload = std::string(n, 'p')};
    writer->write_frame(0, Instant(n * 1ms), FrameDirection::kSent, test::build(segment), {});
  }
  ASSERT_TRUE(writer->close().ok());
  EXPECT_EQ(tool("tshark -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE "
                 "-Y '_ws.malformed || tcp.checksum.status != 1 || "
                 "ip.checksum.status != 1'"),
            "");
  const std::string all = tool("tshark");
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 50);
}

TEST(PcapngWriter, OpenSaysWhatIsWrong) {
  const auto writer = PcapngWriter::open("/nonexistent/x.pcapng", {});
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(writer.status().message(), HasSubstr("/nonexistent/x.pcapng"));
}

TEST(PcapngWriter, AFullDiskCountsFramesAndStopsNothing) {
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "no /dev/full";
  const auto writer = PcapngWriter::adopt(full, "/dev/full", {.buffer_bytes = 4096});
  writer->add_interface("sim0");
  for (int i = 0; i < 100; ++i)
    writer->write_frame(0, Instant{}, FrameDirection::kSent, Bytes(1000), {});
  EXPECT_EQ(writer->frames_written(), 3u);  // in the buffer
  EXPECT_EQ(writer->frames_lost(), 97u);
  EXPECT_EQ(writer->write_failures(), 97u);
  const absl::Status status = writer->flush();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("/dev/full"));
  EXPECT_FALSE(writer->close().ok());
}

TEST(PcapngWriter, AReaderThatComesBackSeesWholeBlocks) {
  std::array<int, 2> ends;
  ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
  const auto writer = PcapngWriter::adopt(ends[1], "pipe", {.buffer_bytes = 8192});
  writer->add_interface("sim0");
  Bytes read;
  Bytes piece(100'000);
  const auto drain = [&] {
    const ssize_t n = ::read(ends[0], piece.data(), piece.size());
    if (n > 0) read.insert(read.end(), piece.begin(), piece.begin() + n);
  };
  const auto write = [&] {
    writer->write_frame(0, Instant{}, FrameDirection::kSent, Bytes(1200), {});
  };
  while (writer->frames_lost() == 0) write();  // the pipe fills up, in the middle of a block
  drain();
  write();
  EXPECT_EQ(writer->frames_lost(), 1u);
  drain();
  EXPECT_TRUE(writer->close().ok());
  drain();
  EXPECT_EQ(block_types(read).size(), 2 + writer->frames_written());
  ::close(ends[0]);
}

TEST_F(PcapngFile, CapturePortRecordsWhatPassesAndOnlyThat) {
  auto writer = open();
  writer->add_interface("port");
  test::ScriptPort inner({.transmit_limit = 1});
  CapturePort port(inner, *writer, [] { return Instant(5ns); });
  EXPECT_EQ(port.info().mac, inner.info().mac);
  inner.inject(Segment{.flags = "S", .seq = 1});
  inner.inject(Segment{.flags = "S", .seq = 2});
  std::array<Frame, 4> frames;
  ASSERT_EQ(port.receive(frames), 2u);
  ASSERT_EQ(port.allocate({&frames[2], 1}), 1u);
  EXPECT_EQ(port.transmit({frames.data(), 2}),
            1u);  // the second one is not taken
  port.release({&frames[1], 2});
  EXPECT_EQ(inner.outstanding(), 0u);
  EXPECT_EQ(writer->frames_written(), 3u);
  ASSERT_TRUE(writer->close().ok());
  if (!test::have_program("tshark")) GTEST_SKIP() << "tshark is not installed";
  EXPECT_EQ(tool("tshark -o tcp.relative_sequence_numbers:FALSE -T fields -E "
                 "separator=/s "
                 "-e frame.packet_flags_direction -e tcp.seq_raw"),
            "0x00000001 1\n0x00000001 2\n0x00000002 1\n");
}

}  // namespace
}  // namespace tern::io
