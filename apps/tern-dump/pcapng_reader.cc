// SPDX-License-Identifier: BSD-3-Clause
#include "pcapng_reader.h"

#include <cstring>

namespace dump {

namespace {

// draft-ietf-opsawg-pcapng, sections 3 and 4.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a, kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kOptEnd = 0, kOptComment = 1, kEpbFlags = 2;
constexpr std::uint32_t kDirectionBits = 3, kOutbound = 2;
constexpr std::size_t kBlockOverhead = 12, kPacketHeader = 20, kLargestBlock = 1 << 20;

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

void read_options(std::span<const std::byte> options, Packet& packet) {
  while (options.size() >= 4) {
    const auto code = load<std::uint16_t>(options, 0);
    const std::size_t length = load<std::uint16_t>(options, 2);
    if (code == kOptEnd || options.size() < 4 + padded(length)) return;
    const auto value = options.subspan(4, length);
    if (code == kOptComment)
      packet.comment.assign(reinterpret_cast<const char*>(value.data()), value.size());
    if (code == kEpbFlags && length == 4)
      packet.sent = (load<std::uint32_t>(value, 0) & kDirectionBits) == kOutbound;
    options = options.subspan(4 + padded(length));
  }
}

}  // namespace

Blocks whole_blocks(std::span<const std::byte> bytes, std::uint64_t limit) {
  Blocks whole;
  while (whole.packets < limit && bytes.size() - whole.bytes >= kBlockOverhead) {
    const std::size_t length = load<std::uint32_t>(bytes, whole.bytes + 4);
    if (length < kBlockOverhead) return {.bytes = bytes.size(), .packets = whole.packets};
    if (bytes.size() - whole.bytes < length) break;
    if (load<std::uint32_t>(bytes, whole.bytes) == kEnhancedPacket) ++whole.packets;
    whole.bytes += length;
  }
  return whole;
}

bool PcapngReader::feed(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  std::span<const std::byte> rest = buffer_;
  while (rest.size() >= kBlockOverhead) {
    const auto type = load<std::uint32_t>(rest, 0);
    const std::size_t length = load<std::uint32_t>(rest, 4);
    if (!begun_ && (type != kSectionHeader || load<std::uint32_t>(rest, 8) != kByteOrderMagic))
      return false;
    if (length < kBlockOverhead || length > kLargestBlock || length % 4 != 0) return false;
    begun_ = true;
    if (rest.size() < length) break;
    if (type == kEnhancedPacket) read_packet(rest.subspan(8, length - kBlockOverhead));
    rest = rest.subspan(length);
  }
  buffer_.erase(buffer_.begin(), buffer_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  return true;
}

void PcapngReader::read_packet(std::span<const std::byte> body) {
  if (body.size() < kPacketHeader) return;
  const std::size_t kept = load<std::uint32_t>(body, 12);
  if (kPacketHeader + padded(kept) > body.size()) return;
  Packet packet;
  packet.time_ns = std::uint64_t{load<std::uint32_t>(body, 4)} << 32 | load<std::uint32_t>(body, 8);
  packet.frame = body.subspan(kPacketHeader, kept);
  read_options(body.subspan(kPacketHeader + padded(kept)), packet);
  visit_(packet);
}

}  // namespace dump
