// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/rx_split.h"

#include <rte_ip.h>
#include <rte_mbuf.h>

#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"

namespace tern::io {
namespace {

constexpr std::size_t kEthernetBytes = 14, kVlanTagBytes = 4, kIp4Bytes = 20, kIp6Bytes = 40,
                      kTcpBytes = 20;
constexpr std::uint16_t kTypeIp4 = 0x0800, kTypeIp6 = 0x86dd, kTypeVlan = 0x8100;
constexpr std::uint8_t kProtocolTcp = 6, kFin = 0x01, kPsh = 0x08, kUrg = 0x20, kCwr = 0x80;
constexpr std::uint64_t kGood = frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood;

std::uint8_t octet(const std::byte* at) { return load_u8(at); }

}  // namespace

RxSplit::~RxSplit() { rte_pktmbuf_free(next_); }

// Where the headers are, if they say as much as there is: padding would look like text.
bool RxSplit::read_headers(const rte_mbuf* chain) {
  const auto* frame = rte_pktmbuf_mtod(chain, const std::byte*);
  const std::size_t have = chain->data_len;
  if (have < kEthernetBytes + kVlanTagBytes + kIp4Bytes + kTcpBytes) return false;
  std::uint16_t type = load_be16(frame + 12);
  ip_ = kEthernetBytes;
  if (type == kTypeVlan) {
    type = load_be16(frame + 16);
    ip_ += kVlanTagBytes;
  }
  is_v6_ = type == kTypeIp6;
  if (!is_v6_ && type != kTypeIp4) return false;
  if (have < ip_ + (is_v6_ ? kIp6Bytes : kIp4Bytes)) return false;
  const std::byte* ip = frame + ip_;
  tcp_ = ip_ + (is_v6_ ? kIp6Bytes : (octet(ip) & 0x0fu) * 4);
  const std::size_t end = is_v6_ ? tcp_ + load_be16(ip + 4) : ip_ + load_be16(ip + 2);
  const std::uint8_t protocol = octet(ip + (is_v6_ ? 6 : 9));
  const bool is_fragment = !is_v6_ && (load_be16(ip + 6) & 0x3fff) != 0;
  if (octet(ip) >> 4 != (is_v6_ ? 6 : 4) || protocol != kProtocolTcp || is_fragment) return false;
  if (tcp_ < ip_ + kIp4Bytes || end != chain->pkt_len || have < tcp_ + kTcpBytes) return false;
  header_bytes_ = tcp_ + octet(frame + tcp_ + 12) / 16u * 4;
  // What the urgent pointer is about would have to be told apart for each piece; nobody does that.
  return header_bytes_ >= tcp_ + kTcpBytes && header_bytes_ <= have && header_bytes_ < end &&
         (octet(frame + tcp_ + 13) & kUrg) == 0;
}

bool RxSplit::has_room(const rte_mbuf* chain) const {
  for (const rte_mbuf* segment = chain; segment != nullptr; segment = segment->next) {
    const bool is_own = RTE_MBUF_DIRECT(segment) && rte_mbuf_refcnt_read(segment) == 1;
    if (!is_own || (segment != chain && rte_pktmbuf_headroom(segment) < header_bytes_))
      return false;
  }
  return true;
}

// The pieces are given headers of their own, so what they carry must have been judged before.
bool RxSplit::is_intact(const rte_mbuf* chain, std::uint64_t flags) const {
  using namespace frame_flag;
  const bool says_good = (flags & kRxL4ChecksumGood) != 0,
             says_bad = (flags & kRxL4ChecksumBad) != 0;
  const auto* ip = rte_pktmbuf_mtod_offset(chain, const std::byte*, ip_);
  if (!is_v6_ && static_cast<std::uint16_t>(~rte_raw_cksum(ip, tcp_ - ip_)) != 0) return false;
  if (says_good && (!says_bad || trust_missing_checksum_)) return true;  // both: not computed
  if (says_bad && !says_good) return false;
  const std::uint32_t pseudo =
      is_v6_ ? rte_ipv6_phdr_cksum(reinterpret_cast<const rte_ipv6_hdr*>(ip), 0)
             : rte_ipv4_phdr_cksum(reinterpret_cast<const rte_ipv4_hdr*>(ip), 0);
  std::uint16_t text = 0;
  const auto tcp = static_cast<std::uint32_t>(tcp_);
  if (rte_raw_cksum_mbuf(chain, tcp, chain->pkt_len - tcp, &text) != 0) return false;
  const std::uint32_t sum = pseudo + text;
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

bool RxSplit::begin(rte_mbuf* chain, std::uint64_t flags) {
  TERN_ASSERT(empty());
  if (!read_headers(chain) || !has_room(chain) || !is_intact(chain, flags)) return false;
  std::memcpy(headers_.data(), rte_pktmbuf_mtod(chain, const std::byte*), header_bytes_);
  left_ = chain->pkt_len - header_bytes_;
  offset_ = 0;
  at_first_ = true;
  next_ = chain;
  return true;
}

void RxSplit::write_headers(std::byte* at, std::size_t text, bool is_last) const {
  std::memcpy(at, headers_.data(), header_bytes_);
  std::byte* ip = at + ip_;
  const std::size_t tcp_bytes = header_bytes_ - tcp_ + text;
  if (is_v6_) {
    store_be16(ip + 4, static_cast<std::uint16_t>(tcp_bytes));
  } else {
    store_be16(ip + 2, static_cast<std::uint16_t>(tcp_ - ip_ + tcp_bytes));
    store_be16(ip + 10, 0);
    const auto sum = static_cast<std::uint16_t>(~rte_raw_cksum(ip, tcp_ - ip_));
    std::memcpy(ip + 10, &sum, sizeof sum);
  }
  std::byte* tcp = at + tcp_;
  store_be32(tcp + 4, load_be32(tcp + 4) + offset_);
  std::uint8_t flags = octet(tcp + 13);
  if (offset_ > 0) flags &= static_cast<std::uint8_t>(~kCwr);
  if (!is_last) flags &= static_cast<std::uint8_t>(~(kPsh | kFin));
  store_u8(tcp + 13, flags);
}

// The buffer in front, by itself; the next one is in front then.
rte_mbuf* RxSplit::detach() {
  rte_mbuf* segment = next_;
  next_ = segment->next;
  segment->next = nullptr;
  segment->nb_segs = 1;
  return segment;
}

std::size_t RxSplit::take(std::span<Frame> frames) {
  std::size_t count = 0;
  while (left_ > 0 && count < frames.size()) {
    rte_mbuf* segment = detach();
    std::byte* text = rte_pktmbuf_mtod(segment, std::byte*);
    std::size_t bytes = segment->data_len;
    if (std::exchange(at_first_, false)) text += header_bytes_, bytes -= header_bytes_;
    if (bytes == 0) {
      rte_pktmbuf_free(segment);
      continue;
    }
    left_ -= bytes;
    write_headers(text - header_bytes_, bytes, left_ == 0);
    offset_ += static_cast<std::uint32_t>(bytes);
    frames[count++] = {.data = text - header_bytes_,
                       .handle = segment,
                       .flags = kGood,
                       .length = static_cast<std::uint32_t>(header_bytes_ + bytes)};
  }
  if (left_ == 0) rte_pktmbuf_free(std::exchange(next_, nullptr));  // empty ones behind the text
  return count;
}

}  // namespace tern::io
