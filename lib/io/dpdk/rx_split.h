// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tern/port.h"

struct rte_mbuf;

namespace tern::io {

/// Makes frames of one piece out of a large segment that came in a chain of buffers (receive
/// offload, or a virtual wire's neighbour that leaves cutting to others): one frame for each
/// buffer, with headers of its own in front of what text the buffer has. No text is copied.
/// Thread: the port's.
class RxSplit {
 public:
  /// `trust_missing_checksum`: whether "not computed" is as good a verdict as "good" (PortInfo).
  explicit RxSplit(bool trust_missing_checksum) : trust_missing_checksum_(trust_missing_checksum) {}
  ~RxSplit();  // frees what has not been taken
  RxSplit(const RxSplit&) = delete;
  RxSplit& operator=(const RxSplit&) = delete;

  /// Takes the chain if it is whole TCP over IPv4 or IPv6 with its headers in the first buffer and
  /// room for them in the others; otherwise it stays the caller's. `flags`: those of its
  /// RTE_MBUF_F_* that are believed; where they tell nothing, the checksums are summed up here.
  /// Only when empty().
  bool begin(rte_mbuf* chain, std::uint64_t flags);

  /// Fills a prefix of `frames` with the next pieces and returns its length.
  std::size_t take(std::span<Frame> frames);

  bool empty() const { return left_ == 0; }

 private:
  static constexpr std::size_t kMostHeaders = 14 + 4 + 60 + 60;

  bool read_headers(const rte_mbuf* chain);
  bool has_room(const rte_mbuf* chain) const;
  bool is_intact(const rte_mbuf* chain, std::uint64_t flags) const;
  rte_mbuf* detach();
  void write_headers(std::byte* at, std::size_t text, bool is_last) const;

  const bool trust_missing_checksum_;
  std::array<std::byte, kMostHeaders> headers_;
  std::size_t ip_ = 0, tcp_ = 0, header_bytes_ = 0;  // TCP's place, all headers' length
  bool is_v6_ = false;
  rte_mbuf* next_ = nullptr;
  std::size_t left_ = 0;      // bytes of text not taken; next_ is valid if there are any
  std::uint32_t offset_ = 0;  // of text taken
  bool at_first_ = false;     // the headers' own buffer is next
};

}  // namespace tern::io
