// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/nic_segmentation.h"

#include <algorithm>

#include "base/bytes.h"
#include "io/sim/nic_checksum.h"
#include "tern/port.h"

namespace tern::io {
namespace {

constexpr std::size_t kIpAddressBytes4 = 8, kIpAddressBytes6 = 32;
constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80, kProtocolTcp = 6;

struct Layout {
  std::size_t ip, tcp, text;  // where they begin
  std::size_t piece;          // bytes of text in each
  bool is_v6;
};

std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Of the pseudo-header: without the length, as a device that cuts wants it, or with it.
std::uint16_t pseudo_sum(std::span<const std::byte> frame, const Layout& at, std::size_t length) {
  const auto addresses = at.is_v6 ? frame.subspan(at.ip + 8, kIpAddressBytes6)
                                  : frame.subspan(at.ip + 12, kIpAddressBytes4);
  std::uint32_t sum = kProtocolTcp + static_cast<std::uint32_t>(length);
  for (std::size_t i = 0; i < addresses.size(); i += 2) sum += load_be16(&addresses[i]);
  return fold(sum);
}

std::string_view find_layout(std::span<const std::byte> frame, std::uint64_t flags,
                             std::uint32_t metadata, Layout& at) {
  constexpr std::size_t kTcpHeader = 20;
  at.ip = metadata & 0x7f;
  at.tcp = at.ip + (metadata >> 7 & 0x1ff);
  at.piece = metadata >> 16;
  at.is_v6 = (flags & frame_flag::kTxIpv6) != 0;
  if ((flags & frame_flag::kTxTcpChecksum) == 0) return "segmentation without a checksum offload";
  if (at.piece == 0) return "segmentation into pieces of nothing";
  if (at.tcp < at.ip + (at.is_v6 ? 40 : 20) || at.tcp + kTcpHeader > frame.size())
    return "segmentation of what is too short for its headers";
  if (load_u8(&frame[at.ip]) >> 4 != (at.is_v6 ? 6 : 4))
    return "segmentation for the other version of IP";
  at.text = at.tcp + load_u8(&frame[at.tcp + 12]) / 16u * 4;
  if (at.text >= frame.size()) return "segmentation of a segment without text";
  const std::size_t says =
      at.is_v6 ? at.tcp + load_be16(&frame[at.ip + 4]) : at.ip + load_be16(&frame[at.ip + 2]);
  if (says != frame.size()) return "segmentation of a packet of another length than it says";
  if (load_be16(&frame[at.tcp + 16]) != pseudo_sum(frame, at, 0))
    return "segmentation of a TCP checksum field that does not hold the pseudo-header sum";
  return {};
}

std::vector<std::byte> make_piece(std::span<const std::byte> frame, const Layout& at,
                                  std::size_t offset) {
  const std::size_t length = std::min(at.piece, frame.size() - at.text - offset);
  std::vector<std::byte> piece(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at.text));
  const auto text = frame.subspan(at.text + offset, length);
  piece.insert(piece.end(), text.begin(), text.end());
  const std::size_t tcp_bytes = piece.size() - at.tcp;
  std::byte* ip = &piece[at.ip];
  if (at.is_v6) {
    store_be16(ip + 4, static_cast<std::uint16_t>(tcp_bytes));
  } else {
    store_be16(ip + 2, static_cast<std::uint16_t>(piece.size() - at.ip));
    store_be16(ip + 4, static_cast<std::uint16_t>(load_be16(ip + 4) + offset / at.piece));
  }
  std::byte* tcp = &piece[at.tcp];
  store_be32(tcp + 4, load_be32(tcp + 4) + static_cast<std::uint32_t>(offset));
  std::uint8_t tcp_flags = load_u8(tcp + 13);
  if (offset > 0) tcp_flags &= static_cast<std::uint8_t>(~kCwr);
  if (at.text + offset + length < frame.size())
    tcp_flags &= static_cast<std::uint8_t>(~(kPsh | kFin));
  store_u8(tcp + 13, tcp_flags);
  store_be16(tcp + 16, pseudo_sum(piece, at, tcp_bytes));
  return piece;
}

}  // namespace

CutFrames cut_segment(std::span<const std::byte> frame, std::uint64_t flags,
                      std::uint32_t metadata) {
  Layout at{};
  CutFrames cut{.frames = {}, .error = find_layout(frame, flags, metadata, at)};
  if (!cut.error.empty()) return cut;
  const std::uint64_t each =
      frame_flag::kTxTcpChecksum |
      (at.is_v6 ? frame_flag::kTxIpv6 : frame_flag::kTxIpv4 | frame_flag::kTxIpChecksum);
  for (std::size_t offset = 0; at.text + offset < frame.size(); offset += at.piece) {
    std::vector<std::byte> piece = make_piece(frame, at, offset);
    cut.error = complete_checksums(piece, each, metadata & 0xffff);
    if (!cut.error.empty()) return cut;
    cut.frames.push_back(std::move(piece));
  }
  return cut;
}

}  // namespace tern::io
