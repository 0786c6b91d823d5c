// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/parse.h"

namespace tern::wire {

/// parse_tcp_options' oracle: cuts the bytes into a list of options first, then looks each up.
bool reference_parse_options(std::span<const std::byte> bytes, TcpOptions& options);

/// Equal in what means something: flags, values, and blocks below sack_count.
bool same_options(const TcpOptions& a, const TcpOptions& b);

/// What parse_frame should make of a frame, from the same rules, with neither views nor speed. The
/// payload is where it lies in the frame.
struct Reference {
  FrameKind kind = FrameKind::kDrop;
  DropReason drop = DropReason::kNone;
  std::size_t payload_offset = 0;
  std::size_t payload_length = 0;
  TcpSegment segment;  // kTcp4; addresses for kIcmp4 too; `payload` is not set
};

Reference reference_parse(std::span<const std::byte> bytes, std::uint64_t flags,
                          const ParseContext& context);

/// Parses a copy of `bytes` in a block of exactly their size and holds the outcome against the
/// oracle; a gtest failure where they differ. Returns the reason, for tests that count them.
DropReason expect_as_reference(std::span<const std::byte> bytes, std::uint64_t flags,
                               const ParseContext& context);

}  // namespace tern::wire
