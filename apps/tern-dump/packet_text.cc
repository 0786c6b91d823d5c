// SPDX-License-Identifier: BSD-3-Clause
#include "packet_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace dump {

namespace {

constexpr std::size_t kEthernetBytes = 14, kBytesPerLine = 16;

std::string time_of_day(std::uint64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec,
                     ns / 1000 % 1'000'000);
}

std::string hex_line(std::size_t offset, std::span<const std::byte> bytes) {
  std::string hex, ascii;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = static_cast<unsigned>(bytes[i]);
    hex += fmt::format("{:02x}{}", value, i % 2 == 1 ? " " : "");
    ascii += value >= 0x21 && value < 0x7f ? static_cast<char>(value) : '.';
  }
  constexpr std::size_t kHexWidth = kBytesPerLine / 2 * 5;
  return fmt::format("\t0x{:04x}:  {:<{}} {}\n", offset, hex, kHexWidth, ascii);
}

}  // namespace

std::string hex_text(std::span<const std::byte> frame) {
  const auto ip = frame.subspan(std::min(frame.size(), kEthernetBytes));
  std::string text;
  for (std::size_t at = 0; at < ip.size(); at += kBytesPerLine)
    text += hex_line(at, ip.subspan(at, std::min(kBytesPerLine, ip.size() - at)));
  return text;
}

std::string PacketText::operator()(const Packet& packet) {
  std::string text =
      fmt::format("{} {} {}", time_of_day(packet.time_ns), packet.sent ? "Out" : "In ",
                  options_.absolute ? tern::format_frame(packet.frame) : relative_(packet.frame));
  if (!packet.comment.empty()) text += fmt::format("  [{}]", packet.comment);
  text += '\n';
  if (options_.hex) text += hex_text(packet.frame);
  return text;
}

}  // namespace dump
