// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/index_pool.h"

namespace tern::net {

/// What an IndexList keeps in each of its objects.
struct ListLink {
  std::uint32_t previous = kNoIndex;
  std::uint32_t next = kNoIndex;
};

/// A doubly linked list through objects of a pool, by index. An object is in at most one of the
/// lists that use the same link; which one, its owner knows.
template <typename T, ListLink T::*kLink>
class IndexList {
 public:
  explicit IndexList(IndexPool<T>& pool) : pool_(pool) {}

  std::uint32_t front() const { return front_; }  // kNoIndex when empty

  void push_back(std::uint32_t index) {
    link(index) = {back_, kNoIndex};
    (back_ == kNoIndex ? front_ : link(back_).next) = index;
    back_ = index;
  }

  void erase(std::uint32_t index) {
    const ListLink gap = link(index);
    (gap.previous == kNoIndex ? front_ : link(gap.previous).next) = gap.next;
    (gap.next == kNoIndex ? back_ : link(gap.next).previous) = gap.previous;
  }

 private:
  ListLink& link(std::uint32_t index) { return pool_[index].*kLink; }

  IndexPool<T>& pool_;
  std::uint32_t front_ = kNoIndex;
  std::uint32_t back_ = kNoIndex;
};

}  // namespace tern::net
