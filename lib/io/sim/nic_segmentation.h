// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tern::io {

/// The frames that go on the wire instead of a large one, or what is wrong with the request.
struct CutFrames {
  std::vector<std::vector<std::byte>> frames;
  std::string_view error;
};

/// What a NIC does to a frame that asks for TCP segmentation: cuts its text into pieces of the size
/// that `metadata` (Frame's) says, each with the headers of the large one, a sequence number,
/// lengths and checksums of its own; CWR goes with the first piece only, PSH and FIN with the last.
/// IPv4 datagrams are numbered on.
CutFrames cut_segment(std::span<const std::byte> frame, std::uint64_t flags,
                      std::uint32_t metadata);

}  // namespace tern::io
