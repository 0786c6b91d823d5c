// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <bitset>
#include <memory>
#include <string>
#include <vector>

#include "common/socket.h"

namespace ss {

/// A set of TCP states.
using States = std::bitset<tern::kTcpStateCount>;

/// What ss shows: with -a every state, with -l the listeners, otherwise what is connected.
States all_states();
States listening_states();
States default_states();
/// A word of ss's: a state ("time-wait", "syn-recv", "listening") or a set of them ("all",
/// "connected", "synchronized", "bucket", "big").
std::optional<States> states_of(std::string_view word);

/// A condition on addresses and ports.
class Expression {
 public:
  virtual ~Expression() = default;
  virtual bool holds(const app::Socket& socket) const = 0;
};

/// ss's FILTER: [state WORD | exclude WORD]... [EXPRESSION], where an expression is made of
///
///   src|dst [=|!=] HOST               dst 10.0.1.0/24, src :9999, dst [fd00::1]
///   sport|dport [OP] [ADDRESS]:PORT   sport = :9999; OP is = == != < <= > >= or eq ne lt le gt ge
///                                     (none: =)
///   HOST: [inet:|inet6:]ADDRESS[/BITS][:PORT], each part may be missing or *
///   not and or ! & && | || ( )        and nothing between two conditions means "and"
struct Filter {
  States states;
  std::shared_ptr<const Expression> expression;  // empty: every socket

  bool admits(const app::Socket& socket) const {
    return states[static_cast<std::size_t>(socket.state)] &&
           (!expression || expression->holds(socket));
  }
};

/// Reads the words of a command line; `states` is what to show if they name none. Errors say at
/// which word.
absl::StatusOr<Filter> parse_filter(const std::vector<std::string>& words, States states);

}  // namespace ss
