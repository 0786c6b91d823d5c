// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/packet_filter.h"

#include <absl/strings/str_cat.h>
#include <pcap/pcap.h>

namespace tern::io {

namespace {

constexpr int kLongestFrame = 262144;

void free_program(bpf_program* program) {
  pcap_freecode(program);
  delete program;
}

}  // namespace

absl::StatusOr<PacketFilter> PacketFilter::compile(const std::string& text) {
  PacketFilter filter;
  if (text.empty()) return filter;
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> pcap(pcap_open_dead(DLT_EN10MB, kLongestFrame),
                                                        pcap_close);
  auto program = std::make_unique<bpf_program>();
  constexpr int kOptimise = 1;
  if (pcap_compile(pcap.get(), program.get(), text.c_str(), kOptimise, PCAP_NETMASK_UNKNOWN) != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("capture filter '", text, "': ", pcap_geterr(pcap.get())));
  filter.program_.reset(program.release(), free_program);
  return filter;
}

bool PacketFilter::matches(std::span<const std::byte> frame) const {
  if (!program_) return true;
  const auto length = static_cast<unsigned>(frame.size());
  return bpf_filter(program_->bf_insns, reinterpret_cast<const unsigned char*>(frame.data()),
                    length, length) != 0;
}

}  // namespace tern::io
