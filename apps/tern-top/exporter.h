// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>

#include "tern/address.h"

namespace top {

/// Answers every HTTP request at an IPv4 endpoint with a text, one client at a time: for a scraper
/// that comes every few seconds. A client that says nothing for two seconds is sent away.
class Exporter {
 public:
  /// Who connects from now on is answered as soon as serve() runs. Errors: the endpoint is in use,
  /// or not this machine's.
  static absl::StatusOr<Exporter> listen(const tern::Endpoint& endpoint);
  Exporter(Exporter&& other) noexcept;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  ~Exporter();

  /// Until `stop` answers true, which it is asked between clients and every two seconds.
  void serve(const std::function<std::string()>& make_text, const std::function<bool()>& stop);

 private:
  explicit Exporter(int listener) : listener_(listener) {}
  int listener_;
};

}  // namespace top
