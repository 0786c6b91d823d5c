// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>

#include "wire/parse.h"

namespace tern::wire {

/// Parses one fuzz input and asserts what must hold of any outcome; aborts if it does not. The
/// input's first byte is what the device said: bits 0 and 1 IP checksum good and bad, 2 and 3 the
/// same of L4, bit 4 ParseContext::trust_missing_checksum. The rest is the frame, sent to
/// 02:00:00:00:00:02, 10.0.2.2/24.
ParsedFrame fuzz_parse(std::span<const std::byte> input);

}  // namespace tern::wire
