// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "io/sim/model_port.h"
#include "tern/stack.h"

namespace tern::test {

/// Expects, of a stack between two polls, that every frame is where usage() says, that the
/// connection table names what list() shows, and that no pool holds more than was configured
/// (threats.md P2). `port` is the one that owns the frames.
void expect_conserved(const Stack& stack, const io::ModelPort& port);

/// Expects that nothing is left but TIME-WAIT and frames ready for use.
void expect_nothing_left(const Stack& stack, const io::ModelPort& port);

}  // namespace tern::test
