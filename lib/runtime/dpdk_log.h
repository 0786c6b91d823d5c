// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "io/dpdk/log_stream.h"
#include "tern/runtime.h"

namespace tern::runtime {

/// DPDK's log as the operator of a program of ours wants it: its errors are warnings, its chatter
/// is for debugging, what every run prints and means nothing is too; all of it is information for
/// one who asked for it (--log-level among the EAL arguments). Empty when nobody takes log lines.
io::LogSink dpdk_log_sink(const RuntimeConfig& config);

}  // namespace tern::runtime
