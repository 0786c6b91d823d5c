// SPDX-License-Identifier: BSD-3-Clause
#include "wire/tcp.h"

#include <algorithm>

namespace tern::wire {
namespace {

static_assert(offsetof(TcpOptions, window_scale) == offsetof(TcpOptions, sack_count) + 3,
              "has_only_timestamp() reads four bytes at once");

void parse_sack(std::span<const std::byte> value, TcpOptions& options) {
  // RFC 2018 3: 8n + 2 bytes. n = 0 says nothing; n > 4 does not fit in a header's 40 bytes.
  if (options.sack_count != 0 || value.size() % 8 != 0 || value.size() / 8 > options.sack.size()) {
    return;
  }
  options.sack_count = static_cast<std::uint8_t>(value.size() / 8);
  for (std::size_t i = 0; i < options.sack_count; ++i) {
    const std::byte* block = value.data() + 8 * i;
    options.sack[i] = {SeqNum(load_be32(block)), SeqNum(load_be32(block + 4))};
  }
}

/// Takes in one option of legal length; `value` is what follows kind and length.
void parse_option(std::uint8_t kind, std::span<const std::byte> value, TcpOptions& options) {
  switch (kind) {
    case tcp_option::kMss:
      if (value.size() != 2 || options.has_mss) return;
      options.has_mss = true;
      options.mss = load_be16(value.data());
      return;
    case tcp_option::kWindowScale:
      if (value.size() != 1 || options.has_window_scale) return;
      options.has_window_scale = true;
      options.window_scale = std::min(load_u8(value.data()), kMaxWindowScale);
      return;
    case tcp_option::kSackPermitted:
      if (value.empty()) options.sack_permitted = true;
      return;
    case tcp_option::kSack:
      parse_sack(value, options);
      return;
    case tcp_option::kTimestamp:
      if (value.size() != 8 || options.has_timestamp) return;
      options.has_timestamp = true;
      options.ts_value = load_be32(value.data());
      options.ts_echo_reply = load_be32(value.data() + 4);
      return;
    case tcp_option::kUserTimeout:
      if (value.size() != 2 || options.has_user_timeout) return;
      options.has_user_timeout = true;
      options.user_timeout = load_be16(value.data());
      return;
    default:
      return;
  }
}

std::byte* put_bytes(std::byte* p, std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  store_u8(p, a);
  store_u8(p + 1, b);
  store_u8(p + 2, c);
  store_u8(p + 3, d);
  return p + 4;
}

std::byte* put_timestamp(std::byte* p, const TcpOptions& options) {
  constexpr auto kNop = tcp_option::kNop;
  p = options.sack_permitted
          ? put_bytes(p, tcp_option::kSackPermitted, 2, tcp_option::kTimestamp, 10)
          : put_bytes(p, kNop, kNop, tcp_option::kTimestamp, 10);
  store_be32(p, options.ts_value);
  store_be32(p + 4, options.ts_echo_reply);
  return p + 8;
}

std::byte* put_sack(std::byte* p, const TcpOptions& options, std::size_t room) {
  // The other options take 24 bytes at most, so there is room for one block.
  const std::size_t count =
      std::min({std::size_t{options.sack_count}, options.sack.size(), (room - 4) / 8});
  if (count == 0) return p;
  p = put_bytes(p, tcp_option::kNop, tcp_option::kNop, tcp_option::kSack,
                static_cast<std::uint8_t>(2 + 8 * count));
  for (std::size_t i = 0; i < count; ++i, p += 8) {
    store_be32(p, options.sack[i].begin.value());
    store_be32(p + 4, options.sack[i].end.value());
  }
  return p;
}

}  // namespace

bool tcp_internal::parse_tcp_options_one_by_one(std::span<const std::byte> bytes,
                                                TcpOptions& options) {
  options = {};
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::uint8_t kind = load_u8(&bytes[i]);
    if (kind == tcp_option::kEnd) return true;
    if (kind == tcp_option::kNop) {
      ++i;
      continue;
    }
    if (bytes.size() - i < 2) return false;
    const std::size_t length = load_u8(&bytes[i + 1]);
    if (length < 2 || length > bytes.size() - i) return false;
    parse_option(kind, bytes.subspan(i + 2, length - 2), options);
    i += length;
  }
  return true;
}

std::size_t write_tcp_options(const TcpOptions& options, std::byte* out) {
  constexpr auto kNop = tcp_option::kNop;
  std::byte* p = out;
  if (options.has_mss) {
    store_u8(p, tcp_option::kMss);
    store_u8(p + 1, 4);
    store_be16(p + 2, options.mss);
    p += 4;
  }
  if (options.has_timestamp) {
    p = put_timestamp(p, options);
  } else if (options.sack_permitted) {
    p = put_bytes(p, kNop, kNop, tcp_option::kSackPermitted, 2);
  }
  if (options.has_window_scale) {
    p = put_bytes(p, kNop, tcp_option::kWindowScale, 3, options.window_scale);
  }
  if (options.has_user_timeout) {
    p = put_bytes(p, tcp_option::kUserTimeout, 4,
                  static_cast<std::uint8_t>(options.user_timeout >> 8),
                  static_cast<std::uint8_t>(options.user_timeout));
  }
  p = put_sack(p, options, kTcpMaxOptionBytes - static_cast<std::size_t>(p - out));
  return static_cast<std::size_t>(p - out);
}

}  // namespace tern::wire
