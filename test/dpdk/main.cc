// SPDX-License-Identifier: BSD-3-Clause
// EAL starts once per process: once for all tests here, and in child processes for those of EAL.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "io/dpdk/eal.h"

namespace {

// Prints "OK", or the status in one line; with `hold` stays up until its input ends.
int try_eal(int count, char** arguments, bool hold) {
  const tern::io::EalConfig config{.program = "dpdk_test",
                                   .arguments = {arguments, arguments + count}};
  const auto eal = tern::io::Eal::start(config);
  std::cout << (eal.ok() ? std::string("OK") : eal.status().ToString()) << std::endl;
  while (hold && std::cin.get() != EOF) continue;
  return eal.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--try-eal" || mode == "--hold-eal")
    return try_eal(argc - 2, argv + 2, mode == "--hold-eal");
  testing::InitGoogleTest(&argc, argv);
  // Whatever interfaces and addresses the tests make are theirs alone, and go with the process.
  if (::geteuid() == 0) ::unshare(CLONE_NEWNET);
  const bool only_lists = testing::GTEST_FLAG(list_tests);
  if (only_lists) return RUN_ALL_TESTS();
  const tern::io::EalConfig config{.program = "dpdk_test",
                                   .arguments = {"--no-huge", "-m", "128", "--no-shconf"}};
  const auto eal = tern::io::Eal::start(config);
  if (!eal.ok()) {
    std::cerr << eal.status() << std::endl;
    return 1;
  }
  return RUN_ALL_TESTS();
}
