// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/index_list.h"
#include "base/index_pool.h"
#include "tcp/tcb.h"

namespace tern::tcp {

/// A first-come, first-served list of connections, linked through a member of the TCB, that is in
/// it if a flag says so. Removal is O(1), since a connection may end while it is listed.
template <IndexLinks Tcb::*kLinks, std::uint32_t kFlag>
class TcbList {
 public:
  bool empty() const { return list_.empty(); }
  std::uint32_t front() const { return list_.front(); }
  std::uint32_t size() const { return size_; }

  /// `c` is tcbs[index].
  void push_back(IndexPool<Tcb>& tcbs, Tcb& c, std::uint32_t index) {
    c.set(kFlag);
    list_.push_back(links(tcbs), index, c.*kLinks);
    ++size_;
  }

  /// Takes the first one out; kNoIndex when empty.
  std::uint32_t pop_front(IndexPool<Tcb>& tcbs) {
    const std::uint32_t index = list_.pop_front(links(tcbs));
    if (index == kNoIndex) return kNoIndex;
    tcbs[index].clear(kFlag);
    --size_;
    return index;
  }

  void remove(IndexPool<Tcb>& tcbs, std::uint32_t index) {
    list_.remove(links(tcbs), index);
    tcbs[index].clear(kFlag);
    --size_;
  }

 private:
  static auto links(IndexPool<Tcb>& tcbs) {
    return [&tcbs](std::uint32_t index) -> IndexLinks& { return tcbs[index].*kLinks; };
  }
  IndexList list_;
  std::uint32_t size_ = 0;
};

using ReadyList = TcbList<&Tcb::ready_links, flag::kReady>;  // events to deliver
using StarvedList =
    TcbList<&Tcb::starved_links, flag::kStarved>;               // refused for want of send chunks
using OutputList = TcbList<&Tcb::output_links, flag::kOutput>;  // something to send

}  // namespace tern::tcp
