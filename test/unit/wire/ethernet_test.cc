// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ethernet.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

const EthernetHeader kHeader{.destination = {{0x02, 0, 0, 0, 0, 0x02}},
                             .source = {{0x02, 0, 0, 0, 0, 0x01}},
                             .ether_type = ether_type::kIpv4};

TEST(Ethernet, WritesTheBytes) {
  Bytes out(kEthernetHeaderBytes + 1, std::byte{0xee});
  write_ethernet(out.data(), kHeader);
  EXPECT_EQ(out, from_hex("020000000002 020000000001 0800 ee"));
}

TEST(Ethernet, ParsesWhatItWrote) {
  Bytes out(kEthernetHeaderBytes);
  write_ethernet(out.data(), kHeader);
  EXPECT_EQ(parse_ethernet(out), kHeader);
}

TEST(Ethernet, TooShortIsNothing) {
  for (std::size_t length = 0; length < kEthernetHeaderBytes; ++length) {
    EXPECT_FALSE(parse_ethernet(ExactBlock(Bytes(length)).bytes())) << length;
  }
}

}  // namespace
}  // namespace tern::wire
