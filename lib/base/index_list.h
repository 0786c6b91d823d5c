// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/index_pool.h"

namespace tern {

/// What an object carries to be in an IndexList. Without meaning while it is in none.
struct IndexLinks {
  std::uint32_t next;  // kNoIndex: it is the last
  std::uint32_t prev;  // means nothing in the first: who takes that one out does not touch the
                       // next, which may not be in the cache
};

/// A doubly linked list of objects that live in a pool and are named by index; 8 bytes, owns
/// nothing. The list does not know the pool: each call is handed `links_of`, which maps an index to
/// its object's IndexLinks&. Whether an object is in a list is for its owner to know.
class IndexList {
 public:
  bool empty() const { return head_ == kNoIndex; }
  std::uint32_t front() const { return head_; }  // kNoIndex when empty
  std::uint32_t back() const { return tail_; }   // kNoIndex when empty

  template <class LinksOf>
  void push_back(LinksOf&& links_of, std::uint32_t index) {
    push_back(links_of, index, links_of(index));
  }

  /// The same for a caller that has the object's links at hand.
  template <class LinksOf>
  void push_back(LinksOf&& links_of, std::uint32_t index, IndexLinks& links) {
    links = IndexLinks{kNoIndex, tail_};
    (tail_ == kNoIndex ? head_ : links_of(tail_).next) = index;
    tail_ = index;
  }

  template <class LinksOf>
  void push_front(LinksOf&& links_of, std::uint32_t index) {
    links_of(index) = IndexLinks{head_, kNoIndex};
    (head_ == kNoIndex ? tail_ : links_of(head_).prev) = index;
    head_ = index;
  }

  /// The index must be in this list.
  template <class LinksOf>
  void remove(LinksOf&& links_of, std::uint32_t index) {
    const IndexLinks links = links_of(index);
    TERN_DASSERT((links.next == kNoIndex) == (tail_ == index));
    if (head_ == index) {
      pop_front(links_of);
      return;
    }
    TERN_DASSERT(links_of(links.prev).next == index);
    links_of(links.prev).next = links.next;
    (links.next == kNoIndex ? tail_ : links_of(links.next).prev) = links.prev;
  }

  /// kNoIndex when empty.
  template <class LinksOf>
  std::uint32_t pop_front(LinksOf&& links_of) {
    const std::uint32_t index = head_;
    if (index == kNoIndex) return kNoIndex;
    head_ = links_of(index).next;
    if (head_ == kNoIndex) tail_ = kNoIndex;
    return index;
  }

 private:
  std::uint32_t head_ = kNoIndex;
  std::uint32_t tail_ = kNoIndex;
};

}  // namespace tern
