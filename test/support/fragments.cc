// SPDX-License-Identifier: BSD-3-Clause
#include "support/fragments.h"

#include <algorithm>
#include <utility>

namespace tern::test {
namespace {

constexpr std::size_t kLink = 14, kHeader4 = 20, kHeader6 = 40, kFragment6 = 8;

bool is_v6(std::span<const std::byte> frame) { return frame[12] == std::byte{0x86}; }

unsigned number(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<unsigned>(bytes[at]) << 8 | std::to_integer<unsigned>(bytes[at + 1]);
}
void put(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = std::byte(value >> 8), bytes[at + 1] = std::byte(value);
}

void sum_header4(Bytes& frame) {
  put(frame, kLink + 10, 0);
  put(frame, kLink + 10, textbook_checksum(std::span(frame).subspan(kLink, kHeader4)));
}

Bytes head_of(std::span<const std::byte> whole) {
  const std::size_t header = kLink + (is_v6(whole) ? kHeader6 : kHeader4);
  return {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(header)};
}

struct Piece {
  std::size_t offset;
  bool more;
  Bytes data;
};

Piece read(std::span<const std::byte> f) {
  if (!is_v6(f)) {
    const unsigned word = number(f, kLink + 6);
    const auto data = f.subspan(kLink + kHeader4, number(f, kLink + 2) - kHeader4);
    return {(word & 0x1fff) * 8ul, (word & 0x2000) != 0, {data.begin(), data.end()}};
  }
  const unsigned word = number(f, kLink + kHeader6 + 2);
  const auto data = f.subspan(kLink + kHeader6 + kFragment6, number(f, kLink + 4) - kFragment6);
  return {word & 0xfff8ul, (word & 1) != 0, {data.begin(), data.end()}};
}

}  // namespace

std::size_t payload_bytes_of(std::span<const std::byte> frame) {
  return is_v6(frame) ? number(frame, kLink + 4) : number(frame, kLink + 2) - kHeader4;
}

Bytes fragment_of(std::span<const std::byte> whole, const Part& part, std::uint32_t id) {
  Bytes out = head_of(whole);
  const std::size_t header = out.size(), bytes = part.end - part.begin;
  const bool more = part.more.value_or(part.end < payload_bytes_of(whole));
  if (is_v6(whole)) {
    put(out, kLink + 4, kFragment6 + bytes);
    const std::byte next = std::exchange(out[kLink + 6], std::byte{44});
    out.insert(out.end(), {next, std::byte{0}});
    out.resize(header + kFragment6);
    put(out, header + 2, part.begin | (more ? 1 : 0));
    put(out, header + 4, id >> 16), put(out, header + 6, id & 0xffff);
  } else {
    put(out, kLink + 2, kHeader4 + bytes);
    put(out, kLink + 4, id & 0xffff);
    put(out, kLink + 6, part.begin / 8 | (more ? 0x2000 : 0));
    sum_header4(out);
  }
  const auto data = whole.subspan(header + part.begin, bytes);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::uint32_t fragment_id_of(std::span<const std::byte> fragment) {
  if (!is_v6(fragment)) return number(fragment, kLink + 4);
  const std::size_t at = kLink + kHeader6 + 4;
  return number(fragment, at) << 16 | number(fragment, at + 2);
}

std::vector<Bytes> cut(std::span<const std::byte> whole, std::size_t bytes, std::uint32_t id) {
  std::vector<Bytes> out;
  const std::size_t all = payload_bytes_of(whole);
  for (std::size_t at = 0; at < all; at += bytes)
    out.push_back(fragment_of(whole, {at, std::min(at + bytes, all)}, id));
  return out;
}

std::optional<Bytes> join(const std::vector<Bytes>& fragments) {
  std::map<std::size_t, Piece> pieces;
  Bytes whole;
  for (const Bytes& f : fragments) {
    Piece piece = read(f);
    if (piece.offset == 0) {
      whole = head_of(f);
      if (is_v6(f)) whole[kLink + 6] = f[kLink + kHeader6];
    }
    if (!pieces.emplace(piece.offset, std::move(piece)).second) return std::nullopt;
  }
  if (whole.empty()) return std::nullopt;
  const std::size_t header = whole.size();
  for (const auto& [offset, piece] : pieces) {
    if (whole.size() - header != offset || piece.more == (offset == pieces.rbegin()->first))
      return std::nullopt;
    whole.insert(whole.end(), piece.data.begin(), piece.data.end());
  }
  put(whole, kLink + (is_v6(whole) ? 4 : 2), whole.size() - kLink - (is_v6(whole) ? kHeader6 : 0));
  if (is_v6(whole)) return whole;
  put(whole, kLink + 6, 0);
  sum_header4(whole);
  return whole;
}

std::uint16_t icmp_checksum_of(std::span<const std::byte> frame) {
  constexpr std::size_t kAddresses6 = 8, kPseudoHeader6 = 40;
  const std::size_t length = payload_bytes_of(frame);
  Bytes summed;
  if (is_v6(frame)) {
    const auto addresses = frame.subspan(kLink + kAddresses6, 32);
    summed.assign(addresses.begin(), addresses.end());
    summed.resize(kPseudoHeader6);
    put(summed, 34, length);
    summed[39] = std::byte{58};
  }
  const auto message = frame.subspan(head_of(frame).size(), length);
  summed.insert(summed.end(), message.begin(), message.end());
  return textbook_checksum(summed);
}

Bytes echo_request(std::size_t bytes, std::uint16_t sequence) {
  const bool v6 = speaks_v6();
  Datagram datagram{.protocol = static_cast<std::uint8_t>(v6 ? 58 : 1), .fragment = 0};
  Bytes& message = datagram.payload;
  message.assign(8, std::byte{0});
  message[0] = std::byte(v6 ? 128 : 8);
  put(message, 4, 0x1234);
  put(message, 6, sequence);
  for (std::size_t i = 0; i < bytes; ++i) message.push_back(std::byte((i * 7 + i / 251) & 0xff));
  Bytes frame = build(datagram);
  put(frame, head_of(frame).size() + 2, icmp_checksum_of(frame));
  return frame;
}

}  // namespace tern::test
