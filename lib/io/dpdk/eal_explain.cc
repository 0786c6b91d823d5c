// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstring>
#include <string>

#include "io/dpdk/eal.h"

namespace tern::io {

namespace {

// What a message of EAL or a driver means to an operator. `needle` is looked for in the order of
// the table; "%" in `sentence` stands for the line that holds it. Texts: DPDK 21.11 to 23.11.
struct Explanation {
  std::string_view needle;
  absl::StatusCode code;
  std::string_view sentence;
};

constexpr std::array kExplanations = {
    Explanation{"failed to parse device", absl::StatusCode::kInvalidArgument,
                "unknown device (%): no DPDK driver has this name; net_tap0,iface=NAME and "
                "net_af_packet0,iface=NAME need no hardware"},
    Explanation{"unrecognized option", absl::StatusCode::kInvalidArgument,
                "EAL does not know an argument (%): correct what stands before '--'"},
    Explanation{"invalid option", absl::StatusCode::kInvalidArgument,
                "EAL does not know an argument (%): correct what stands before '--'"},
    Explanation{"option requires an argument", absl::StatusCode::kInvalidArgument,
                "an EAL argument lacks its value (%): correct what stands before '--'"},
    Explanation{"requires an argument", absl::StatusCode::kInvalidArgument,
                "an EAL argument lacks its value (%): correct what stands before '--'"},
    Explanation{"not compatible with", absl::StatusCode::kInvalidArgument,
                "two EAL arguments contradict each other (%): leave one out"},
    Explanation{"invalid core list", absl::StatusCode::kInvalidArgument,
                "a CPU was asked for that is not there (%): correct -l"},
    Explanation{"invalid parameter for", absl::StatusCode::kInvalidArgument,
                "EAL refuses an argument (%): correct what stands before '--'"},
    Explanation{
        "Cannot create lock on", absl::StatusCode::kAlreadyExists,
        "another DPDK process uses this file prefix (%): stop it, or give another --file-prefix"},
    Explanation{
        "Cannot get hugepage information", absl::StatusCode::kFailedPrecondition,
        "no hugepages are free, or none are mounted: reserve some ('echo 512 > "
        "/proc/sys/vm/nr_hugepages'), mount them ('mount -t hugetlbfs none /dev/hugepages'), or "
        "use ordinary memory with '--no-huge -m 256'"},
    Explanation{"Unable to open /dev/net/tun", absl::StatusCode::kPermissionDenied,
                "cannot open /dev/net/tun: run as root, and 'modprobe tun' if it does not exist"},
    Explanation{"Operation not permitted", absl::StatusCode::kPermissionDenied,
                "no permission (%): run as root, or with CAP_NET_ADMIN"},
    Explanation{
        "Unable to set TUNSETIFF", absl::StatusCode::kAlreadyExists,
        "the tap cannot be made (%): the name belongs to another interface; choose another name"},
    Explanation{"Could not open AF_PACKET socket", absl::StatusCode::kPermissionDenied,
                "no permission to open a packet socket: run as root, or with CAP_NET_RAW"},
    Explanation{"SIOCGIFINDEX", absl::StatusCode::kNotFound,
                "no such network interface (%): correct iface="},
    Explanation{"Device or resource busy", absl::StatusCode::kUnavailable,
                "the device is in use by another process (%): stop that, or choose another device"},
    Explanation{"Cannot allocate memory", absl::StatusCode::kResourceExhausted,
                "not enough memory (%): lower -m or the number of connections"},
    Explanation{"error allocating", absl::StatusCode::kResourceExhausted,
                "not enough memory (%): lower -m or the number of connections"},
    Explanation{"Permission denied", absl::StatusCode::kPermissionDenied,
                "no permission (%): run as root"},
    Explanation{"failed to initialize", absl::StatusCode::kInvalidArgument,
                "a device cannot be made (%): correct the arguments of its --vdev"},
};

std::string_view line_around(std::string_view text, std::size_t at) {
  const std::size_t begin = text.rfind('\n', at) + 1;  // npos + 1 == 0
  return text.substr(begin, text.find('\n', at) - begin);
}

absl::Status fill_in(const Explanation& explanation, std::string_view line) {
  const std::size_t mark = explanation.sentence.find('%');
  if (mark == std::string_view::npos)
    return {explanation.code,
            absl::string_view(explanation.sentence.data(), explanation.sentence.size())};
  std::string sentence(explanation.sentence);
  sentence.replace(mark, 1, line);
  return {explanation.code, sentence};
}

std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

absl::Status explain_eal_failure(const EalConfig& config, std::string_view output, int error) {
  for (const Explanation& explanation : kExplanations) {
    const std::size_t at = output.find(explanation.needle);
    if (at != std::string_view::npos) return fill_in(explanation, line_around(output, at));
  }
  std::string sentence = config.program + ": DPDK's EAL did not start";
  if (error != 0) sentence += std::string(": ") + std::strerror(error);
  const std::string_view last = last_line(output);
  if (!last.empty()) sentence += " (" + std::string(last) + ")";
  return absl::InternalError(sentence);
}

}  // namespace tern::io
