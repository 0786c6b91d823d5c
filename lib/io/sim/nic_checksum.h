// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tern::io {

/// What a NIC does to a frame that asks for checksum offload: `frame` is the copy that goes on the
/// wire; `flags` and `metadata` are Frame's. TCP only; for
/// segmentation see nic_segmentation.h. Returns what is wrong with the request (header lengths that
/// do not fit, a TCP field that does not hold the pseudo-header sum, ...), or an empty string. A
/// separate implementation from lib/wire's on purpose.
std::string_view complete_checksums(std::span<std::byte> frame, std::uint64_t flags,
                                    std::uint32_t metadata);

/// The frame_flag verdict bits of a NIC that verifies: good or bad for the IPv4 header and for TCP
/// in an unfragmented datagram; no bits for anything else.
std::uint64_t verify_checksums(std::span<const std::byte> frame);

}  // namespace tern::io
