// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/eal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kMebibyte = 1 << 20;

EalConfig config_with(std::vector<std::string> arguments) {
  return {.arguments = std::move(arguments),
          .vdev = "net_tap0,iface=tern0",
          .memory_bytes = 100 * kMebibyte};
}

TEST(EalArguments, WithoutAnyTheTapAndOrdinaryMemoryAreChosen) {
  const auto line = complete_eal_arguments(config_with({}), 0);
  EXPECT_THAT(line, Contains("--no-huge"));
  EXPECT_THAT(line, Contains("--no-shconf"));
  EXPECT_THAT(line, Contains("132"));  // MiB: 100 asked for and 32 of EAL's own
  EXPECT_THAT(line, Contains("--no-pci"));
  EXPECT_THAT(line, Contains("--vdev=net_tap0,iface=tern0"));
  EXPECT_THAT(line, Contains(StartsWith("--lcores=0@(")));
  EXPECT_THAT(line, Contains("--file-prefix=tern-" + std::to_string(::getpid())));
}

TEST(EalArguments, HugepagesAreUsedOnlyIfAllFits) {
  EXPECT_THAT(complete_eal_arguments(config_with({}), 132 * kMebibyte), Contains("--in-memory"));
  EXPECT_THAT(complete_eal_arguments(config_with({}), 132 * kMebibyte), Not(Contains("--no-huge")));
  EXPECT_THAT(complete_eal_arguments(config_with({}), 132 * kMebibyte - 1), Contains("--no-huge"));
}

TEST(EalArguments, WhatIsGivenStands) {
  const auto line = complete_eal_arguments(
      config_with({"-l1", "--in-memory", "--vdev", "net_null0", "--file-prefix=mine"}), 0);
  EXPECT_EQ(line, (std::vector<std::string>{"--no-pci", "-l1", "--in-memory", "--vdev", "net_null0",
                                            "--file-prefix=mine"}));
}

TEST(EalArguments, MegabytesAloneDoNotChooseHugepages) {
  const auto line = complete_eal_arguments(config_with({"-m", "64"}), 0);
  EXPECT_THAT(line, Contains("--no-huge"));
  EXPECT_EQ(std::count(line.begin(), line.end(), "-m"), 1);
}

TEST(EalArguments, AnAllowedPciDeviceNeedsThePciBusAndNoTap) {
  const auto line = complete_eal_arguments(config_with({"-a", "0000:00:05.0"}), 0);
  EXPECT_THAT(line, Not(Contains("--no-pci")));
  EXPECT_THAT(line, Not(Contains(StartsWith("--vdev"))));
}

TEST(FreeHugepages, SumsAllSizes) {
  const std::filesystem::path root = testing::TempDir() + "hugepages-" + std::to_string(::getpid());
  for (const auto& [size, free] :
       {std::pair{"hugepages-2048kB", 3}, std::pair{"hugepages-1048576kB", 2}}) {
    std::filesystem::create_directories(root / size);
    std::ofstream(root / size / "free_hugepages") << free << "\n";
  }
  EXPECT_EQ(free_hugepage_bytes(root), 3 * 2 * kMebibyte + 2 * 1024 * kMebibyte);
  std::filesystem::remove_all(root);
  EXPECT_EQ(free_hugepage_bytes(root), 0u);
}

// What a failing EAL says, on one line with the remedy; in processes of their own.
struct Failure {
  const char* name;
  const char* arguments;
  const char* status;
  const char* culprit;
  const char* remedy;
};

class EalFailure : public testing::TestWithParam<Failure> {};

TEST_P(EalFailure, IsOneLineWithTheRemedy) {
  const std::string output = try_eal(GetParam().arguments);
  EXPECT_THAT(output, StartsWith(GetParam().status));
  EXPECT_THAT(output, HasSubstr(GetParam().culprit));
  EXPECT_THAT(output, HasSubstr(GetParam().remedy));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
}

INSTANTIATE_TEST_SUITE_P(
    All, EalFailure,
    testing::Values(
        Failure{"UnknownDevice", "--vdev=net_foo0", "INVALID_ARGUMENT", "net_foo0", "net_tap0"},
        Failure{"UnknownArgument", "--bogus", "INVALID_ARGUMENT", "--bogus", "before '--'"},
        Failure{"MissingValue", "--vdev", "INVALID_ARGUMENT", "--vdev", "before '--'"},
        Failure{"NoSuchCpu", "-l 777", "INVALID_ARGUMENT", "core", "correct -l"},
        Failure{"Contradiction", "--no-huge --in-memory", "INVALID_ARGUMENT", "--in-memory",
                "leave one out"},
        Failure{"BadDeviceArgument", "--vdev=net_null0,foo=3", "INVALID_ARGUMENT", "net_null0",
                "--vdev"},
        Failure{"TapNameTooLong", "--vdev=net_tap0,iface=a123456789012345", "INVALID_ARGUMENT",
                "a123456789012345", "15 characters"},
        Failure{"TapNameInUse", "--vdev=net_tap0,iface=lo", "ALREADY_EXISTS", "'lo'",
                "choose another name"}),
    [](const auto& test) { return test.param.name; });

TEST(Eal, StartsOncePerProcess) {
  const auto again = Eal::start({});
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition);
}

// With a prefix of the caller's; server_test looks after those of our own.
TEST(Eal, LeavesNoFilesBehind) {
  const std::string prefix = "terntest-" + std::to_string(::getpid());
  EXPECT_EQ(try_eal("--no-huge --vdev=net_null0 --file-prefix " + prefix), "OK\n");
  EXPECT_FALSE(std::filesystem::exists("/var/run/dpdk/" + prefix));
}

// DPDK unlinks its telemetry socket last of all, when the process exits. Without a configuration
// there is no lock that says whose the directory is.
TEST(Eal, LeavesNoFilesBehindWithoutConfigurationEither) {
  const std::string prefix = "terntest3-" + std::to_string(::getpid());
  EXPECT_EQ(try_eal("--no-huge --no-shconf --vdev=net_null0 --file-prefix " + prefix), "OK\n");
  EXPECT_FALSE(std::filesystem::exists("/var/run/dpdk/" + prefix));
}

TEST(Eal, SweepsAwayWhatAKilledProcessLeft) {
  const std::filesystem::path left = "/var/run/dpdk/tern-" + std::to_string(pid_of_nobody());
  std::filesystem::create_directory(left);
  EXPECT_EQ(try_eal("--no-huge --no-shconf --vdev=net_null0"), "OK\n");
  EXPECT_FALSE(std::filesystem::exists(left));
}

// The loser must not clear the winner's files away.
TEST(Eal, AFilePrefixInUseIsRefusedAndLeftAlone) {
  namespace fs = std::filesystem;
  const std::string prefix = "terntest2-" + std::to_string(::getpid());
  const std::string arguments = "--no-huge -m 64 --vdev=net_null0 --file-prefix=" + prefix;
  std::FILE* first = start_eal(arguments);
  ASSERT_NE(first, nullptr);
  const std::string second = try_eal(arguments);
  EXPECT_THAT(second, StartsWith("ALREADY_EXISTS"));
  EXPECT_THAT(second, HasSubstr("--file-prefix"));
  EXPECT_TRUE(fs::exists("/var/run/dpdk/" + prefix + "/config"));
  ::pclose(first);
  EXPECT_FALSE(fs::exists("/var/run/dpdk/" + prefix));
}

TEST(ExplainEalFailure, KnownWords) {
  const auto explain = [](std::string_view output) { return explain_eal_failure({}, output, 0); };
  EXPECT_EQ(explain("tun_alloc(): Unable to open /dev/net/tun interface\n").code(),
            absl::StatusCode::kPermissionDenied);
  const absl::Status no_right = explain(
      "EAL: a\ntun_alloc(): Unable to set TUNSETIFF for t0: Operation not permitted\nEAL: b\n");
  EXPECT_EQ(no_right.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(no_right.message(),
            "no permission (tun_alloc(): Unable to set TUNSETIFF for t0: Operation not permitted): "
            "run as root, or with CAP_NET_ADMIN");
  EXPECT_EQ(explain("EAL: FATAL: Cannot get hugepage information.\n").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(explain("EAL: Cannot create lock on '/var/run/dpdk/a/config'. Is").message()),
      HasSubstr("--file-prefix"));
}

TEST(ExplainEalFailure, UnknownWordsAreQuoted) {
  const absl::Status status =
      explain_eal_failure({.program = "p"}, "EAL: first\nEAL: the last\n", ENODEV);
  EXPECT_EQ(status.message(), "p: DPDK's EAL did not start: No such device (EAL: the last)");
}

TEST(CountLcores, ReadsDpdksLists) {
  const std::vector<std::pair<std::vector<std::string>, unsigned>> cases = {
      {{}, 0},
      {{"-l", "3"}, 1},
      {{"-l0-1"}, 2},
      {{"--no-huge", "-l", "0-3,5,7"}, 6},
      {{"--lcores=0@(0,1)"}, 1},
      {{"--lcores", "(0-2)@0,5@(1-3)"}, 4},
      {{"-c", "0xf1"}, 5},
      {{"--log-level=8"}, 0},
  };
  for (const auto& [arguments, expected] : cases)
    EXPECT_EQ(count_lcores(arguments), expected) << testing::PrintToString(arguments);
}

TEST(MayCutSegments, WhereADeviceThatCutsCanBeNamed) {
  EXPECT_FALSE(may_cut_segments({}));
  EXPECT_FALSE(may_cut_segments({"-l", "1", "--vdev=net_tap0,iface=x"}));
  EXPECT_FALSE(may_cut_segments({"--vdev", "net_memif0,role=client"}));
  EXPECT_TRUE(may_cut_segments({"--vdev=net_virtio_user0,path=/run/s"}));
  EXPECT_TRUE(may_cut_segments({"--vdev=net_ring0", "--vdev", "net_virtio_user0,path=/run/s"}));
  EXPECT_TRUE(may_cut_segments({"-a", "0000:00:05.0"}));
}

TEST(CompleteEalArguments, SeveralCoresHaveACpuEach) {
  EalConfig config;
  config.cores = 2;
  const auto line = complete_eal_arguments(config, 0);
  const auto cores = std::find_if(line.begin(), line.end(), [](const std::string& argument) {
    return argument.starts_with("--lcores=");
  });
  ASSERT_NE(cores, line.end());
  EXPECT_EQ(cores->find('('), std::string::npos) << *cores;
}

}  // namespace
}  // namespace tern::io
