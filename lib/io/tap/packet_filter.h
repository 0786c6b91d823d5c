// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct bpf_program;

namespace tern::io {

/// A filter of Ethernet frames in libpcap's language, e.g. "tcp port 9999 and not host 10.0.1.2".
/// Thread: compile() one at a time; matches() any.
class PacketFilter {
 public:
  /// Admits everything.
  PacketFilter() = default;
  /// An empty text admits everything. Errors are libpcap's words.
  static absl::StatusOr<PacketFilter> compile(const std::string& text);

  bool matches(std::span<const std::byte> frame) const;

 private:
  std::shared_ptr<bpf_program> program_;
};

}  // namespace tern::io
