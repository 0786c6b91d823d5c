// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "conversation.h"

namespace client {

/// The session of a person: a prompt with line editing and history, a line in, the answer out,
/// until Ctrl-D or the end of the connection. Runs on a thread of its own.
void run_prompt(Conversation& conversation);

/// The session of a pipe: what comes from standard input goes to the peer, what comes from the peer
/// goes to standard output. Runs on a thread of its own, and one more for the output. Answers what
/// went wrong with the streams, or "".
std::string run_filter(Conversation& conversation);

}  // namespace client
