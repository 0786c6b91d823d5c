// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "sample.h"

namespace top {

/// The screen: rates between two samples of one process, its workers, what it drops and why, and
/// the connections that moved the most bytes. Lines of at most 80 columns, each ended.
std::string view_text(const Sample& before, const Sample& now, std::size_t connections);

/// The same process for Prometheus: its text exposition format, version 0.0.4.
std::string prometheus_text(const std::vector<Sample>& samples);

}  // namespace top
