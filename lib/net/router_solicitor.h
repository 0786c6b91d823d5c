// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "net/nd_sender.h"
#include "tern/time.h"

namespace tern::net {

/// Asks for router advertisements, three times at most, until one comes (RFC 4861 6.3.7).
class RouterSolicitor {
 public:
  static constexpr unsigned kMaxSolicitations = 3;
  static constexpr Duration kInterval = std::chrono::seconds(4);

  explicit RouterSolicitor(NdSender& sender) : sender_(sender) {}

  /// Begins anew, unless it is at it.
  void start(Instant now) {
    if (deadline_ != kNever) return;
    sent_ = 0;
    deadline_ = now;
    expire(now);
  }
  void stop() { deadline_ = kNever; }

  bool expire(Instant now) {
    if (now < deadline_) return false;
    if (sent_ == kMaxSolicitations) {
      stop();
      return true;
    }
    ++sent_;
    sender_.solicit_routers();
    deadline_ = now + kInterval;
    return true;
  }
  Instant next_deadline() const { return deadline_; }

 private:
  NdSender& sender_;
  unsigned sent_ = 0;
  Instant deadline_ = kNever;
};

}  // namespace tern::net
