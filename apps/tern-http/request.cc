// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace http {

namespace {

using Kind = ParseResult::Kind;

constexpr ParseResult bad(int status) { return {.kind = Kind::kBad, .status = status}; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), good);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_holds(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trim(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(16 * high + low);
    i += 2;
  }
  return out;
}

// "/a?b", or "http://host/a?b" as a proxy's client writes it; the path, or nothing.
std::optional<std::string> path_of(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    target.remove_prefix(kScheme.size());
    const std::size_t slash = target.find('/');
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/')) return std::nullopt;
  return decode(target.substr(0, target.find_first_of("?#")));
}

/// The fields that decide how the message ends.
struct Framing {
  bool host = false;
  bool length = false;
};

// Answers 0, or the status of a refusal.
int read_length(std::string_view value, Request& request, Framing& framing) {
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
  if (error != std::errc() || end != value.data() + value.size()) return 400;
  // Two lengths that differ are how requests are smuggled past a proxy (RFC 9112 6.3).
  if (framing.length && bytes != request.body_bytes) return 400;
  framing.length = true;
  request.body_bytes = bytes;
  return 0;
}

int read_field(std::string_view line, Request& request, Framing& framing) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400;
  const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
  if (equal_ignoring_case(name, "host")) {
    if (framing.host) return 400;
    framing.host = true;
  } else if (equal_ignoring_case(name, "connection")) {
    if (list_holds(value, "close")) request.keep_alive = false;
    if (list_holds(value, "keep-alive")) request.keep_alive = true;
  } else if (equal_ignoring_case(name, "content-length")) {
    return read_length(value, request, framing);
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    return 501;
  } else if (equal_ignoring_case(name, "if-none-match")) {
    request.if_none_match = value;
  }
  return 0;
}

// "GET /x HTTP/1.1"; answers 0 or the status of a refusal.
int read_request_line(std::string_view line, Request& request) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  request.method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(request.method) || version.size() != 8 || !version.starts_with("HTTP/")) return 400;
  if (version[5] != '1' || version[6] != '.') return 505;
  request.http_1_0 = version[7] == '0';
  request.keep_alive = !request.http_1_0;
  auto path = path_of(line.substr(first + 1, last - first - 1));
  if (!path) return 400;
  request.path = *std::move(path);
  return 0;
}

// The line at the front of `bytes`, without its end, cut off them; a lone LF ends one too (RFC 9112
// 2.2).
std::optional<std::string_view> take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  bytes.remove_prefix(end + 1);
  return line;
}

ParseResult need_more(std::string_view bytes) {
  return bytes.size() >= kMaxHead ? bad(431) : ParseResult{};
}

}  // namespace

ParseResult parse_request(std::string_view bytes, Request& request) {
  request = {};
  const std::string_view whole = bytes;
  std::optional<std::string_view> line;
  do line = take_line(bytes);
  while (line && line->empty());  // an empty line before a request (RFC 9112 2.2)
  if (!line) return need_more(whole);
  if (const int status = read_request_line(*line, request)) return bad(status);
  Framing framing;
  while ((line = take_line(bytes)) && !line->empty())
    if (const int status = read_field(*line, request, framing)) return bad(status);
  if (!line) return need_more(whole);
  if (!request.http_1_0 && !framing.host) return bad(400);
  const std::size_t head_bytes = whole.size() - bytes.size();
  if (head_bytes > kMaxHead) return bad(431);
  return {.kind = Kind::kComplete, .head_bytes = head_bytes};
}

}  // namespace http
