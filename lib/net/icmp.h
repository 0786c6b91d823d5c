// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include "net/egress.h"
#include "net/fragment_sender.h"
#include "net/neighbour_table.h"
#include "net/route.h"
#include "net/token_bucket.h"
#include "tern/stats.h"
#include "tern/time.h"
#include "wire/parse.h"

namespace tern::net {

/// Answers ICMP echo requests (RFC 792, RFC 1122 3.2.2.6) within a limit, in fragments where the
/// answer does not fit into a packet; every other message counts under drop_icmp. A reply is what
/// asks for the most of a host per packet that it did not ask for.
class EchoResponder {
 public:
  static constexpr std::uint32_t kRepliesPerSecond = 1000;
  static constexpr std::uint32_t kReplyBurst = 100;

  EchoResponder(const Route& route, NeighbourTable& neighbours, Egress& egress, Counters& counters,
                const FragmentIds& ids)
      : route_(route),
        neighbours_(neighbours),
        egress_(egress),
        counters_(counters),
        fragments_(egress, counters, ids) {}

  void receive(const wire::ParsedFrame& frame, Instant now);

 private:
  bool answer(const wire::ParsedFrame& frame, Instant now);
  bool answer_whole(const wire::ParsedFrame& frame, std::uint32_t rest, std::uint32_t next_hop,
                    Instant now);
  bool answer_in_fragments(const wire::ParsedFrame& frame, std::uint32_t rest,
                           std::uint32_t next_hop, Instant now);
  std::size_t packet_bytes() const;

  const Route& route_;
  NeighbourTable& neighbours_;
  Egress& egress_;
  Counters& counters_;
  FragmentSender fragments_;
  TokenBucket limit_{kRepliesPerSecond, kReplyBurst};
};

}  // namespace tern::net
