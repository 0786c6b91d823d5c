// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/socket.h"

namespace ss {

/// ss's word for a state, e.g. "ESTAB", "SYN-RECV".
std::string_view state_word(tern::TcpState state);

/// What a row shows besides the columns.
struct RowOptions {
  bool numeric = false;   ///< ports as numbers, not as services
  bool info = false;      ///< -i: TCP's internals, on a line of its own
  bool extended = false;  ///< -e: timer, the application's word
  bool timers = false;    ///< -o
  bool memory = false;    ///< -m
  bool process = false;   ///< -p, or when there are several
  bool one_line = false;  ///< -O: no lines of their own
};

/// The process that a row belongs to, and what ss -m needs of it.
struct RowOwner {
  std::string program;
  int pid = 0;
  std::uint64_t receive_buffer = 0, send_buffer = 0;
};

/// Prints ss's columns. They are as wide as the first rows need, so that a list of any length can
/// be printed while it arrives; a later row that is wider moves out of line.
class Table {
 public:
  using Print = std::function<void(const std::string& line)>;

  Table(const RowOptions& options, bool header, Print print);
  ~Table() { flush(); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void add(const app::Socket& socket, const RowOwner& owner);
  void flush();

 private:
  // State, Recv-Q, Send-Q, and an address and a port for each end.
  static constexpr std::size_t kColumns = 7;
  struct Row {
    std::array<std::string, kColumns> cells;
    std::string tail;
    std::string details;  // the second line, or empty
  };

  void widen(const Row& row);
  void print(const Row& row) const;

  RowOptions options_;
  Print print_;
  bool pending_header_;
  std::vector<Row> first_rows_;
  bool settled_ = false;
  std::array<std::size_t, kColumns> widths_{};
};

/// Lines 2 of ss -i and ss -m: " wscale:7,7 rto:204 ...", " skmem:(...)".
std::string info_text(const nlohmann::json& details);
std::string memory_text(const app::Socket& socket, const RowOwner& owner);
/// " timer:(on,200ms,0)", or nothing.
std::string timer_text(const nlohmann::json& details);

}  // namespace ss
