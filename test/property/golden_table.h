// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tern::test {

/// The state machine's answers to one segment: what every combination of flags, sequence number and
/// ACK number leads to, for one state. A cell is named by its digits, most significant first: the
/// place of SEG.SEQ (exact, inside, outside), RST, SYN, ACK, SEG.ACK (old, exact, future), FIN,
/// URG, PSH, ECE, CWR.
class GoldenState {
 public:
  struct Cell {
    unsigned flags;  // of the TCP header; bit 0 = FIN
    std::size_t seq;
    std::size_t ack;
  };
  static constexpr std::size_t kCells = 256 * 3 * 3;
  static Cell cell(std::size_t index);

  std::string& operator[](std::size_t index) { return outcomes_[index]; }
  const std::string& operator[](std::size_t index) const { return outcomes_[index]; }

  /// The table as rows with wildcards, disjoint, each cell in exactly one:
  /// "flags seq ack -> outcome".
  std::vector<std::string> rows() const;
  /// Enters one such row. False: it is malformed, or a cell has an outcome already.
  bool add_row(std::string_view row);

 private:
  void add_rows(std::size_t begin, std::size_t size, std::size_t digit,
                std::vector<std::string>& choices, std::vector<std::string>& rows) const;
  std::vector<std::string> outcomes_ = std::vector<std::string>(kCells);
};

/// A file of such tables: "[STATE]" and its rows; "#" begins a comment line.
using GoldenTable = std::map<std::string, GoldenState, std::less<>>;
/// Empty, and a message on stderr, if the file cannot be read or a row is wrong.
GoldenTable read_golden_table(const std::string& path);
/// Writes the states in the order of `states`, below the comment lines that the file begins with.
void write_golden_table(const std::string& path, const std::vector<std::string>& states,
                        const GoldenTable& table);

}  // namespace tern::test
