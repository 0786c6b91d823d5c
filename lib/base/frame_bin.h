// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "tern/port.h"

namespace tern {

/// Where frames that are done with go: sent again, or given back to their port in bulk, once per
/// poll or when full. Owns the frames in it.
class FrameBin {
 public:
  explicit FrameBin(Port& port) : port_(port) {}
  ~FrameBin() { flush(); }
  FrameBin(const FrameBin&) = delete;
  FrameBin& operator=(const FrameBin&) = delete;

  void add(const Frame& frame) {
    if (count_ == frames_.size()) [[unlikely]]
      release_all();
    frames_[count_++] = frame;
  }

  void flush() {
    if (count_ > 0) release_all();
  }

  /// Takes frames out again that are fit to be sent, as many as there are up to out.size(): a
  /// prefix of `out`, whose length it returns.
  std::size_t recycle(std::span<Frame> out) {
    const std::size_t count = std::min(count_, out.size());
    if (count == 0) return 0;
    count_ -= count;
    std::copy_n(frames_.begin() + static_cast<std::ptrdiff_t>(count_), count, out.begin());
    return port_.recycle(out.first(count));
  }

  std::size_t size() const { return count_; }

 private:
  [[gnu::noinline]] void release_all() {
    port_.release({frames_.data(), count_});
    count_ = 0;
  }

  Port& port_;
  std::size_t count_ = 0;
  std::array<Frame, 64> frames_;
};

}  // namespace tern
