// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

#include "tern/port.h"

namespace tern {

/// Where frames that are done with go: given back to their port in bulk, once per poll or when
/// full. Owns the frames in it.
class FrameBin {
 public:
  explicit FrameBin(Port& port) : port_(port) {}
  ~FrameBin() { flush(); }
  FrameBin(const FrameBin&) = delete;
  FrameBin& operator=(const FrameBin&) = delete;

  void add(const Frame& frame) {
    if (count_ == frames_.size()) [[unlikely]]
      flush();
    frames_[count_++] = frame;
  }

  [[gnu::noinline]] void flush() {
    if (count_ == 0) return;
    port_.release({frames_.data(), count_});
    count_ = 0;
  }

  std::size_t size() const { return count_; }

 private:
  Port& port_;
  std::size_t count_ = 0;
  std::array<Frame, 64> frames_;
};

}  // namespace tern
