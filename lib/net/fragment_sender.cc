// SPDX-License-Identifier: BSD-3-Clause
#include "net/fragment_sender.h"

namespace tern::net {

void SplitMessage::copy(std::size_t from, std::span<std::byte> out) const {
  const std::size_t of_head = from < head.size() ? std::min(head.size() - from, out.size()) : 0;
  if (of_head > 0) std::memcpy(out.data(), head.data() + from, of_head);
  if (of_head < out.size())
    std::memcpy(out.data() + of_head, body.data() + (from + of_head - head.size()),
                out.size() - of_head);
}

// A counter for each of 256 groups of destinations, that begins for each of them elsewhere, in
// steps between which the other stacks have room.
std::uint32_t FragmentIds::next(std::span<const std::byte> destination) {
  const std::uint64_t hash = siphash24(key_, destination);
  return static_cast<std::uint32_t>(hash) + sent_[hash >> 56]++ * stack_.of + stack_.number;
}

bool FragmentSender::allocate(std::span<Frame> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (egress_.allocate(frames[i])) continue;
    while (i > 0) egress_.discard(frames[--i]);
    return false;
  }
  return true;
}

}  // namespace tern::net
