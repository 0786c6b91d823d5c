// SPDX-License-Identifier: BSD-3-Clause
#include "base/frame_bin.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern {
namespace {

// Only release() may be called.
class ReleasePort : public Port {
 public:
  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame>) override { return unexpected(); }
  std::size_t transmit(std::span<const Frame>) override { return unexpected(); }
  std::size_t allocate(std::span<Frame>) override { return unexpected(); }
  void release(std::span<const Frame> frames) override {
    bulk_sizes_.push_back(frames.size());
    for (const Frame& frame : frames) lengths_.push_back(frame.length);
  }

  std::vector<std::size_t> bulk_sizes_;
  std::vector<std::uint32_t> lengths_;

 private:
  std::size_t unexpected() {
    ADD_FAILURE();
    return 0;
  }
  PortInfo info_;
};

Frame frame_of_length(std::uint32_t length) {
  Frame frame;
  frame.length = length;
  return frame;
}

TEST(FrameBinTest, ReleasesInBulkWhenFullWhenFlushedAndAtTheEnd) {
  ReleasePort port;
  {
    FrameBin bin(port);
    bin.flush();
    EXPECT_TRUE(port.bulk_sizes_.empty());
    for (std::uint32_t i = 0; i < 65; ++i) bin.add(frame_of_length(i));
    EXPECT_EQ(port.bulk_sizes_, (std::vector<std::size_t>{64}));
    EXPECT_EQ(bin.size(), 1U);
    bin.flush();
    EXPECT_EQ(bin.size(), 0U);
    bin.add(frame_of_length(65));
  }
  EXPECT_EQ(port.bulk_sizes_, (std::vector<std::size_t>{64, 1, 1}));
  ASSERT_EQ(port.lengths_.size(), 66U);
  for (std::uint32_t i = 0; i < 66; ++i) EXPECT_EQ(port.lengths_[i], i);
}

}  // namespace
}  // namespace tern
