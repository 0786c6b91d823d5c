// SPDX-License-Identifier: BSD-3-Clause
#include "flow/toeplitz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tern/address.h"

namespace tern::flow {
namespace {

// Microsoft, "Verifying the RSS hash calculation".
constexpr std::array<std::uint8_t, 40> kVerificationKey{
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
  const char* destination;
  std::uint16_t destination_port;
  const char* source;
  std::uint16_t source_port;
  std::uint32_t address_hash;
  std::uint32_t tcp_hash;
};

TEST(ToeplitzTest, Ipv4VerificationVectors) {
  for (const Vector& v :
       {Vector{"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
        Vector{"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
        Vector{"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
        Vector{"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
        Vector{"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2}}) {
    const std::uint32_t destination = Ipv4Address::parse(v.destination)->value();
    const std::uint32_t source = Ipv4Address::parse(v.source)->value();
    const FourTuple4 tuple{destination, source, v.destination_port, v.source_port};
    EXPECT_EQ(rss_hash(kVerificationKey, tuple), v.tcp_hash) << v.source;

    std::array<std::uint8_t, 8> addresses;
    for (int i = 0; i < 4; ++i) {
      addresses[i] = static_cast<std::uint8_t>(source >> (24 - 8 * i));
      addresses[4 + i] = static_cast<std::uint8_t>(destination >> (24 - 8 * i));
    }
    EXPECT_EQ(toeplitz_hash(kVerificationKey, addresses), v.address_hash) << v.source;
  }
}

TEST(ToeplitzTest, Ipv6VerificationVectors) {
  for (const Vector& v :
       {Vector{"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
        Vector{"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
        Vector{"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
               0x4b61e985, 0x02d1feef}}) {
    const auto destination = Ipv6Address::parse(v.destination)->octets();
    const auto source = Ipv6Address::parse(v.source)->octets();
    const FourTuple6 tuple{destination, source, v.destination_port, v.source_port};
    EXPECT_EQ(rss_hash(kVerificationKey, tuple), v.tcp_hash) << v.source;

    std::array<std::uint8_t, 32> addresses;
    std::copy(source.begin(), source.end(), addresses.begin());
    std::copy(destination.begin(), destination.end(), addresses.begin() + 16);
    EXPECT_EQ(toeplitz_hash(kVerificationKey, addresses), v.address_hash) << v.source;
  }
}

TEST(ToeplitzTest, AKeyNeedsFourBytesMoreThanTheInput) {
  const std::array<std::uint8_t, 12> input{};
  EXPECT_EQ(toeplitz_hash(std::span(kVerificationKey).first(16), input), 0U);
  EXPECT_DEATH(toeplitz_hash(std::span(kVerificationKey).first(15), input), "assertion failed");
}

}  // namespace
}  // namespace tern::flow
