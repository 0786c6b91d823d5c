// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tern/histogram.h"

namespace bench {

/// The histogram in the text form of HdrHistogram (outputPercentileDistribution, five steps in each
/// halving of the distance to 100 %), which its plotter and other tools read. Values are divided by
/// `unit`: 1000 makes microseconds of nanoseconds.
std::string percentile_text(const tern::Histogram& histogram, double unit);

}  // namespace bench
