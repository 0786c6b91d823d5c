// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <unordered_set>
#include <vector>

#include "base/frame_bin.h"
#include "tern/port.h"
#include "tern/stats.h"

namespace tern::test {

/// A port that only gives out received frames and takes them back: each in its own heap block of
/// exactly its length, so that ASan sees a read past it or after its return. Checks that each comes
/// back once.
class HeapFrames final : public Port {
 public:
  ~HeapFrames() override {
    EXPECT_EQ(outstanding(), 0u) << "frames were not given back";
    for (void* handle : live_) delete[] static_cast<std::byte*>(handle);
  }

  Frame make(std::span<const std::byte> bytes) {
    auto* block = new std::byte[bytes.size()];
    if (!bytes.empty()) std::memcpy(block, bytes.data(), bytes.size());
    live_.insert(block);
    return {.data = block,
            .handle = block,
            .flags = 0,
            .length = static_cast<std::uint32_t>(bytes.size()),
            .metadata = 0};
  }
  Frame make(std::size_t size, char fill) {
    return make(std::vector<std::byte>(size, static_cast<std::byte>(fill)));
  }

  std::size_t outstanding() const { return live_.size(); }

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame>) override { return 0; }
  std::size_t transmit(std::span<const Frame>) override { return 0; }
  std::size_t allocate(std::span<Frame>) override { return 0; }
  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      ASSERT_EQ(live_.erase(frame.handle), 1u) << "given back twice, or not ours";
      delete[] static_cast<std::byte*>(frame.handle);
    }
  }

 private:
  PortInfo info_;
  std::unordered_set<void*> live_;
};

}  // namespace tern::test
