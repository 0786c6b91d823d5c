// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "tern/time.h"

namespace tern::io {

/// Which way a frame goes, seen from the stack.
enum class FrameDirection : std::uint8_t { kReceived, kSent };

/// Somebody who sees the frames that pass and changes nothing. The bytes are valid during the call
/// only.
using FrameObserver =
    std::function<void(Instant now, FrameDirection direction, std::span<const std::byte> frame)>;

}  // namespace tern::io
