// SPDX-License-Identifier: BSD-3-Clause
#include "filter.h"

#include <absl/strings/str_cat.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

namespace ss {

namespace {

using app::Socket;
using tern::Endpoint;
using tern::IpAddress;
using tern::TcpState;
using Pointer = std::shared_ptr<const Expression>;

template <class... S>
States set_of(S... states) {
  States set;
  (set.set(static_cast<std::size_t>(states)), ...);
  return set;
}

// --- Conditions ---------------------------------------------------------------------------------

class Predicate final : public Expression {
 public:
  explicit Predicate(std::function<bool(const Socket&)> holds) : holds_(std::move(holds)) {}
  bool holds(const Socket& socket) const override { return holds_(socket); }

 private:
  std::function<bool(const Socket&)> holds_;
};

Pointer make(std::function<bool(const Socket&)> holds) {
  return std::make_shared<Predicate>(std::move(holds));
}

/// Where a condition looks: "src" and "sport" mean the local end.
using End = Endpoint Socket::*;

bool same_bits(const std::uint8_t* a, const std::uint8_t* b, unsigned bits) {
  if (!std::equal(a, a + bits / 8, b)) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) & (0xff00u >> rest & 0xff)) == 0;
}

bool matches_prefix(const IpAddress& address, const IpAddress& prefix, unsigned bits) {
  if (address.is_v4() != prefix.is_v4()) return false;
  if (!address.is_v4())
    return same_bits(address.v6().octets().data(), prefix.v6().octets().data(), bits);
  const std::uint32_t differing = address.v4().value() ^ prefix.v4().value();
  return bits == 0 || differing >> (32 - bits) == 0;
}

std::optional<std::uint16_t> port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && end == text.data() + text.size()) return port;
  if (const servent* service = ::getservbyname(text.c_str(), "tcp"))
    return static_cast<std::uint16_t>(service->s_port >> 8 | (service->s_port & 0xff) << 8);
  return std::nullopt;
}

/// "ADDRESS/BITS:PORT" with any of its parts missing or "*".
struct HostPattern {
  std::optional<IpAddress> address;
  unsigned bits = 0;
  std::optional<std::uint16_t> port;

  bool matches(const Endpoint& endpoint) const {
    return (!port || *port == endpoint.port) &&
           (!address || matches_prefix(endpoint.address, *address, bits));
  }
};

// Splits the port off: "[fd00::1]:80" and "10.0.0.1:80" have one, "fd00::1" has none.
std::pair<std::string, std::string> split_port(const std::string& text) {
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string::npos ? 0 : bracket);
  const bool bare_v6 =
      bracket == std::string::npos && std::count(text.begin(), text.end(), ':') > 1;
  if (colon == std::string::npos || bare_v6) return {text, "*"};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// "inet:" and "inet6:" say what the address says by itself; alone they mean any of that family.
std::optional<HostPattern> parse_host(std::string text) {
  HostPattern pattern;
  const bool v4 = text.starts_with("inet:"), v6 = text.starts_with("inet6:");
  if (v4 || v6) text.erase(0, text.find(':') + 1);
  auto [host, port] = split_port(text);
  if (port != "*" && !port.empty()) {
    pattern.port = port_of(port);
    if (!pattern.port) return std::nullopt;
  }
  const std::size_t slash = host.find('/');
  const std::string bits = slash == std::string::npos ? "" : host.substr(slash + 1);
  host = host.substr(0, slash);
  if (host.starts_with('[')) host = host.substr(1, host.find(']') - 1);
  if (host.empty() || host == "*") {
    if (!bits.empty()) return std::nullopt;
    if (v4 || v6) pattern.address = IpAddress::parse(v4 ? "0.0.0.0" : "::");
    return pattern;
  }
  pattern.address = IpAddress::parse(host);
  if (!pattern.address ||
      (v4 || v6) != ((v4 && pattern.address->is_v4()) || (v6 && !pattern.address->is_v4())))
    return std::nullopt;
  const unsigned whole = pattern.address->is_v4() ? 32 : 128;
  pattern.bits = whole;
  if (bits.empty()) return pattern;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), pattern.bits);
  if (error != std::errc() || end != bits.data() + bits.size() || pattern.bits > whole)
    return std::nullopt;
  return pattern;
}

using Compare = bool (*)(std::uint16_t, std::uint16_t);

std::optional<Compare> comparison(const std::string& word) {
  struct Row {
    std::string_view words;
    Compare compare;
  };
  static constexpr Row kRows[] = {{" = == eq ", [](auto a, auto b) { return a == b; }},
                                  {" != ne neq ", [](auto a, auto b) { return a != b; }},
                                  {" < lt ", [](auto a, auto b) { return a < b; }},
                                  {" <= le leq ", [](auto a, auto b) { return a <= b; }},
                                  {" > gt ", [](auto a, auto b) { return a > b; }},
                                  {" >= ge geq ", [](auto a, auto b) { return a >= b; }}};
  for (const Row& row : kRows)
    if (row.words.find(" " + word + " ") != std::string_view::npos) return row.compare;
  return std::nullopt;
}

// --- The grammar --------------------------------------------------------------------------------

// "sport=:80" and "( sport = :80 )" are the same words.
std::vector<std::string> split(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  const auto kind = [](char c) {
    return std::string_view("=!<>&|").find(c) != std::string_view::npos;
  };
  for (const std::string& argument : arguments) {
    bool fresh = true;
    for (const char c : argument) {
      if (c == ' ' || c == '\t' || c == '\n') {
        fresh = true;
      } else if (c == '(' || c == ')') {
        words.emplace_back(1, c);
        fresh = true;
      } else if (fresh || kind(c) != kind(words.back().back())) {
        words.emplace_back(1, c);
        fresh = false;
      } else {
        words.back() += c;
      }
    }
  }
  return words;
}

/// A recursive descent over the words. After an error the words count as used up.
class Parser {
 public:
  explicit Parser(std::vector<std::string> words) : words_(std::move(words)) {}

  absl::StatusOr<Filter> filter(States states) {
    Filter filter{.states = states, .expression = nullptr};
    States wanted, excluded;
    while (is_next({"state", "exclude"})) {
      States& set = take() == "state" ? wanted : excluded;
      const std::string word = take();
      const auto found = states_of(word);
      if (!found) return absl::InvalidArgumentError(absl::StrCat("'", word, "' is no TCP state"));
      set |= *found;
    }
    if (wanted.any()) filter.states = wanted;
    if (excluded.any()) filter.states = (wanted.any() ? wanted : all_states()) & ~excluded;
    if (!at_end()) filter.expression = either();
    if (error_.ok() && !at_end()) fail(absl::StrCat("'", peek(), "' is not expected here"));
    if (!error_.ok()) return error_;
    return filter;
  }

 private:
  bool at_end() const { return position_ == words_.size(); }
  std::string peek() const { return at_end() ? "" : words_[position_]; }
  std::string take() { return at_end() ? "" : words_[position_++]; }
  bool is_next(std::initializer_list<std::string_view> choices) const {
    return !at_end() && std::find(choices.begin(), choices.end(), peek()) != choices.end();
  }
  Pointer fail(const std::string& why) {
    if (error_.ok()) error_ = absl::InvalidArgumentError(why);
    position_ = words_.size();
    return make([](const Socket&) { return false; });
  }

  Pointer either() {
    Pointer left = both();
    while (is_next({"or", "|", "||"})) {
      take();
      left = make([l = left, r = both()](const Socket& s) { return l->holds(s) || r->holds(s); });
    }
    return left;
  }

  Pointer both() {
    Pointer left = one();
    while (!at_end() && !is_next({"or", "|", "||", ")"})) {
      if (is_next({"and", "&", "&&"})) take();
      left = make([l = left, r = one()](const Socket& s) { return l->holds(s) && r->holds(s); });
    }
    return left;
  }

  Pointer one() {
    if (at_end()) return fail("a condition is missing at the end");
    const std::string word = take();
    if (word == "not" || word == "!")
      return make([inner = one()](const Socket& s) { return !inner->holds(s); });
    if (word == "(") return in_parentheses();
    if (word == "src" || word == "dst") return host(word == "src" ? &Socket::local : &Socket::peer);
    if (word == "sport" || word == "dport")
      return port(word == "sport" ? &Socket::local : &Socket::peer);
    return fail(absl::StrCat("'", word, "' is not expected here"));
  }

  Pointer in_parentheses() {
    Pointer inner = either();
    if (error_.ok() && take() != ")") return fail("a ')' is missing");
    return inner;
  }

  Pointer host(End end) {
    const bool unequal = is_next({"!=", "ne", "neq"});
    if (unequal || is_next({"=", "==", "eq"})) take();
    const std::string word = take();
    const auto pattern = parse_host(word);
    if (word.empty() || !pattern)
      return fail(absl::StrCat("'", word, "' is not an address, as in 10.0.1.0/24 or :9999"));
    return make(
        [end, unequal, p = *pattern](const Socket& s) { return p.matches(s.*end) != unequal; });
  }

  Pointer port(End end) {
    const std::string op = peek();
    const auto given = comparison(op);
    if (given) take();
    const auto compare = given ? given : comparison("=");
    const std::string word = take();
    auto pattern = parse_host(word.find(':') == std::string::npos ? ":" + word : word);
    if (!given && !pattern && !at_end())
      return fail(absl::StrCat("'", op, "' does not compare, as = != < > do"));
    if (!pattern || !pattern->port)
      return fail(absl::StrCat("'", word, "' is not a port, as in :9999"));
    const std::uint16_t bound = *std::exchange(pattern->port, std::nullopt);
    return make([end, c = *compare, bound, p = *pattern](const Socket& s) {
      return c((s.*end).port, bound) && p.matches(s.*end);
    });
  }

  const std::vector<std::string> words_;
  std::size_t position_ = 0;
  absl::Status error_;
};

}  // namespace

States all_states() { return States().set(); }
States listening_states() { return set_of(TcpState::kListen, TcpState::kClosed); }
States default_states() {
  return all_states() &
         ~set_of(TcpState::kListen, TcpState::kClosed, TcpState::kTimeWait, TcpState::kSynReceived);
}

std::optional<States> states_of(std::string_view word) {
  using enum TcpState;
  const States bucket = set_of(kSynReceived, kTimeWait);
  const States connected = all_states() & ~set_of(kListen, kClosed);
  const std::pair<std::string_view, States> kWords[] = {
      {"all", all_states()},
      {"connected", connected},
      {"synchronized", connected & ~set_of(kSynSent)},
      {"bucket", bucket},
      {"big", all_states() & ~bucket},
      {"established", set_of(kEstablished)},
      {"estab", set_of(kEstablished)},
      {"syn-sent", set_of(kSynSent)},
      {"syn-recv", set_of(kSynReceived)},
      {"fin-wait-1", set_of(kFinWait1)},
      {"fin-wait-2", set_of(kFinWait2)},
      {"time-wait", set_of(kTimeWait)},
      {"closed", set_of(kClosed)},
      {"unconn", set_of(kClosed)},
      {"close-wait", set_of(kCloseWait)},
      {"last-ack", set_of(kLastAck)},
      {"listening", set_of(kListen)},
      {"listen", set_of(kListen)},
      {"closing", set_of(kClosing)}};
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const auto& [name, states] : kWords)
    if (name == lower) return states;
  return std::nullopt;
}

absl::StatusOr<Filter> parse_filter(const std::vector<std::string>& words, States states) {
  return Parser(split(words)).filter(states);
}

}  // namespace ss
