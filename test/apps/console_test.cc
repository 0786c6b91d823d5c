// SPDX-License-Identifier: BSD-3-Clause
#include "common/console.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tern/stats.h"

namespace app {
namespace {

TEST(CountLine, IsInColumns) {
  EXPECT_EQ(count_line("arp_in", 12, "frames", "valid ARP packets received"),
            "arp_in                               12 frames       valid ARP packets received");
}

TEST(CountLine, WrapsTheSentenceUnderItself) {
  EXPECT_EQ(count_line("nd_in", 1, "frames",
                       "valid IPv6 neighbour solicitations and advertisements received"),
            "nd_in                                 1 frames       valid IPv6 neighbour "
            "solicitations and\n"
            "                                                     advertisements received");
}

TEST(CountLine, OfEveryCounterFitsIntoAHundredColumns) {
  for (const tern::CounterInfo& info : tern::counter_infos()) {
    std::istringstream lines(count_line(info.name, 999'999'999'999, info.unit, info.sentence));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST(CountLine, AWordThatIsTooLongStaysWhole) {
  const std::string word(80, 'x');
  EXPECT_TRUE(count_line("a", 1, "b", word).ends_with(' ' + word));
}

}  // namespace
}  // namespace app
