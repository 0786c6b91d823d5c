// SPDX-License-Identifier: BSD-3-Clause
// main() of the benchmarks that compare with DPDK's own structures, which live in EAL's memory.
//   NAME_bench [Google Benchmark's options] [-- EAL options]
// Without EAL options DPDK's memory is on small pages, while Tern's own maps ask for huge ones: for
// a fair comparison reserve pages and give "-- --in-memory -m 2048".
#include <benchmark/benchmark.h>
#include <rte_eal.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

bool start_eal(const char* program, std::vector<std::string> options) {
  if (options.empty()) options = {"--no-huge", "-m", "2048"};
  std::vector<std::string> all{program, "--no-pci", "--no-telemetry", "--log-level=*:error",
                               "--file-prefix=tern_bench_" + std::to_string(::getpid())};
  if (std::ranges::find(options, "-l") == options.end()) {
    all.insert(all.end(), {"-l", std::to_string(std::max(::sched_getcpu(), 0))});
  }
  all.insert(all.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& argument : all) arguments.push_back(argument.data());
  return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
}

}  // namespace

int main(int argc, char** argv) {
  char** const end = argv + argc;
  char** const dashes = std::find(argv, end, std::string_view("--"));
  int benchmark_argc = static_cast<int>(dashes - argv);
  benchmark::Initialize(&benchmark_argc, argv);
  if (!start_eal(argv[0], {dashes == end ? end : dashes + 1, end})) {
    std::fprintf(stderr, "EAL did not start\n");
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  // The directory bears this process's id, and EAL leaves it behind.
  const std::string runtime_directory = rte_eal_get_runtime_dir();
  rte_eal_cleanup();
  std::error_code ignored;
  std::filesystem::remove_all(runtime_directory, ignored);
}
