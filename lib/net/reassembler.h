// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "base/index_list.h"
#include "base/index_pool.h"
#include "base/siphash.h"
#include "base/zeroed_array.h"
#include "tern/port.h"
#include "tern/stats.h"
#include "tern/time.h"
#include "wire/fragment.h"

namespace tern::net {

/// Puts fragments together (RFC 791 3.2, RFC 815, RFC 8200 4.5). Each is copied to its place in its
/// datagram's buffer at once, so that no fragment holds a received frame, whatever floods there
/// are. Bounded: so many datagrams at once, of which one source (in IPv6, one /64) has a quarter at
/// most, so many fragments of each, for 60 s from the first one. Where there is no room, the oldest
/// one goes: a whole datagram's fragments come close together. What a fragment costs
/// does not depend on how many datagrams there are: so sources are told apart by a keyed hash, and
/// one pair of them in a thousand, or more, has one share together.
///
/// A datagram of which two fragments overlap, or that contradicts itself, never becomes whole (RFC
/// 5722, for IPv4 too): what has come is forgotten, and what comes is dropped until its time is up.
/// An exact duplicate is dropped alone. Thread: the stack's.
class Reassembler {
 public:
  static constexpr Duration kTimeout =
      std::chrono::seconds(60);                        // RFC 1122 3.3.2: 60 to 120 s; RFC 8200 4.5
  static constexpr std::uint32_t kMaxFragments = 128;  // 64 KB over a link of 576 bytes
  static constexpr std::uint32_t kSources = 4;         // that can fill everything together

  /// Takes the memory for `max_datagrams` of 64 KB, untouched until used; 0: every fragment is
  /// dropped. `key` serves nothing else: nobody can choose what is looked for in one place. Throws
  /// std::bad_alloc.
  Reassembler(std::uint32_t max_datagrams, const SipKey& key, Counters& counters);

  /// A frame of kind kFragment, `packet` its ParsedFrame::payload; both stay the caller's. If that
  /// makes a datagram whole: the Ethernet frame that would have brought it, to be read until the
  /// next call; else nothing. Counts what is dropped.
  std::span<std::byte> take(const Frame& frame, std::span<std::byte> packet, Instant now);

  /// Gives up the datagrams whose time is over, and returns how many. `tell(packet)`: of one whose
  /// first fragment has come, that fragment, an IP packet (RFC 1122 3.3.2, RFC 8200 4.5).
  template <class Tell>
  std::size_t expire(Instant now, Tell&& tell) {
    std::size_t count = 0;
    for (; next_deadline() <= now; ++count) {
      const std::uint32_t index = by_age_.front();
      const Datagram& d = datagrams_[index];
      if (d.refused == DropReason::kNone) ++counters_.reassembly_timeouts;
      if (d.has_first() && d.refused == DropReason::kNone) tell(d.first_packet());
      release(index);
    }
    return count;
  }
  Instant next_deadline() const {
    return by_age_.empty() ? kNever : datagrams_[by_age_.front()].expires;
  }

  std::uint32_t in_use() const { return datagrams_.in_use(); }

  /// Bytes of memory for each datagram.
  static std::size_t datagram_bytes() {
    return sizeof(Datagram) + sizeof(Buffer) + kBucketsEach * (sizeof(IndexList) + sizeof(Source));
  }

 private:
  /// What the fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).
  struct Key {
    std::uint16_t is_v6 = 0;
    std::uint16_t protocol = 0;  // IPv4 only
    std::uint32_t id = 0;
    std::array<std::byte, 16> source{}, destination{};  // IPv4's with zeros behind
    friend bool operator==(const Key&, const Key&) = default;
    std::span<const std::byte> bytes() const { return std::as_bytes(std::span(this, 1)); }
    // What has a share: an IPv4 address, or an IPv6 /64.
    std::span<const std::byte> source_bytes() const { return std::span(source).first<8>(); }
  };
  static_assert(std::has_unique_object_representations_v<Key>);
  struct Piece {
    std::uint16_t begin, length;
    std::uint32_t end() const { return std::uint32_t{begin} + length; }
  };

  // Link header, and IP headers within the bounds of the walk.
  static constexpr std::size_t kHeaderRoom = 320;

  struct Buffer {
    std::array<Piece, kMaxFragments> pieces;                             // by their place
    std::array<std::byte, kHeaderRoom + wire::kMaxDatagramBytes> bytes;  // data at kHeaderRoom
  };

  // One source's, or those of the few whose keyed hashes are the same.
  struct Source {
    IndexList datagrams;  // the oldest first
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kBucketsEach = 16;  // for each datagram, at least

  struct Datagram {
    Key key;
    Instant expires;
    IndexLinks by_age, by_name, by_source;
    DropReason refused;            // not kNone: it will never be whole
    std::uint8_t ecn_seen;         // bit i: a fragment had ECN field i
    std::uint16_t link_bytes;      // of the first fragment: of its link header,
    std::uint16_t header_bytes;    //   of its IP headers; 0 = it has not come,
    std::uint16_t first_bytes;     //   of its data
    std::uint32_t next_header_at;  //   Fragment's
    std::uint32_t total;           // bytes of data; 0 = the last fragment has not come
    std::uint32_t received;
    std::uint32_t piece_count;
    Buffer* buffer;

    bool has_first() const { return header_bytes != 0; }
    std::span<const std::byte> first_packet() const {
      return std::span(buffer->bytes)
          .subspan(kHeaderRoom - header_bytes, std::size_t{header_bytes} + first_bytes);
    }
  };

  static Key key_of(const wire::Fragment& fragment);
  std::uint32_t find_or_begin(const Key& key, Instant now);
  std::uint32_t begin(const Key& key, Instant now);
  void make_room(const Source& source);
  IndexList& named_as(const Key& key);
  Source& source_of(const Key& key);
  void release(std::uint32_t index);
  static DropReason place(Datagram& d, const wire::Fragment& fragment);
  static DropReason fit_end(Datagram& d, const wire::Fragment& fragment);
  static void keep_headers(Datagram& d, const Frame& frame, const wire::Fragment& fragment);
  DropReason store(Datagram& d, const Frame& frame, const wire::Fragment& fragment);
  std::span<std::byte> finish(Datagram& d);
  void count(DropReason reason) { ++(counters_.*drop_counter(reason)); }
  auto links(IndexLinks Datagram::*which) {
    return [this, which](std::uint32_t index) -> IndexLinks& { return datagrams_[index].*which; };
  }

  Counters& counters_;
  const SipKey key_;
  IndexPool<Datagram> datagrams_;
  ZeroedArray<Buffer> buffers_;  // of the same indices
  IndexList by_age_;             // those in use, the oldest first: the first to expire
  std::vector<IndexList> names_;
  std::vector<Source> sources_;
};

}  // namespace tern::net
