// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace http {

inline constexpr std::size_t kMaxHead = 8192;  // bytes of a request line and its fields

/// A request's head, as far as a server of files wants to know it (RFC 9112).
struct Request {
  std::string_view method;  // in the parsed bytes
  std::string path;         // decoded, without the query
  bool keep_alive = true;
  bool http_1_0 = false;         // its client stays only if the answer says so
  std::uint64_t body_bytes = 0;  // to be skipped
  std::string_view if_none_match;
};

/// What the bytes at hand are: a whole head, the beginning of one, or wrong.
struct ParseResult {
  enum class Kind : std::uint8_t { kComplete, kNeedMore, kBad };
  Kind kind = Kind::kNeedMore;
  std::size_t head_bytes = 0;  // kComplete
  int status = 400;            // kBad: what to answer before closing
};

/// Parses one head at the beginning of `bytes`; what views the request holds point into them.
ParseResult parse_request(std::string_view bytes, Request& request);

}  // namespace http
