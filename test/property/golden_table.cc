// SPDX-License-Identifier: BSD-3-Clause
#include "golden_table.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <sstream>

namespace tern::test {
namespace {

// A digit of a cell's name: its values as the file spells them. A flag's are its letter and "-".
struct Digit {
  std::vector<std::string> values;
  int flag_bit = -1;  // of the TCP header
};

const std::vector<Digit>& digits() {
  static const std::vector<Digit> kDigits = {
      {{"exact", "inside", "outside"}},
      {{"-", "R"}, 2},
      {{"-", "S"}, 1},
      {{"-", "A"}, 4},
      {{"old", "exact", "future"}},
      {{"-", "F"}, 0},
      {{"-", "U"}, 5},
      {{"-", "P"}, 3},
      {{"-", "E"}, 6},
      {{"-", "C"}, 7},
  };
  return kDigits;
}
constexpr std::size_t kSeqDigit = 0, kAckDigit = 4;

// How the file orders the flags: as the header does.
constexpr std::string_view kFlagLetters = "CEUAPRSF";

std::size_t digit_of(char letter) {
  for (std::size_t i = 0; i < digits().size(); ++i)
    if (digits()[i].flag_bit >= 0 && digits()[i].values[1][0] == letter) return i;
  return digits().size();
}

std::array<std::size_t, 10> values_of(std::size_t index) {
  std::array<std::size_t, 10> values{};
  for (std::size_t i = digits().size(); i-- > 0;) {
    values[i] = index % digits()[i].values.size();
    index /= digits()[i].values.size();
  }
  return values;
}

// "exact|inside", "any"; a flag that may be either is ".".
std::string spell(const Digit& digit, const std::vector<std::size_t>& chosen) {
  if (chosen.size() == digit.values.size()) return digit.flag_bit >= 0 ? "." : "any";
  std::string text;
  for (const std::size_t value : chosen) text += (text.empty() ? "" : "|") + digit.values[value];
  return text;
}

bool allows(std::string_view pattern, const std::string& value) {
  if (pattern == "any" || pattern == ".") return true;
  while (true) {
    const std::size_t bar = pattern.find('|');
    if (pattern.substr(0, bar) == value) return true;
    if (bar == std::string_view::npos) return false;
    pattern.remove_prefix(bar + 1);
  }
}

std::string row_text(const std::vector<std::string>& choices, const std::string& outcome) {
  std::string flags;
  for (const char letter : kFlagLetters) flags += choices[digit_of(letter)];
  std::ostringstream row;
  row << flags << "  ";
  row.width(16);
  row << std::left << choices[kSeqDigit];
  row.width(13);
  row << std::left << choices[kAckDigit] << "-> " << outcome;
  return row.str();
}

}  // namespace

GoldenState::Cell GoldenState::cell(std::size_t index) {
  const auto values = values_of(index);
  Cell cell{0, values[kSeqDigit], values[kAckDigit]};
  for (std::size_t i = 0; i < digits().size(); ++i)
    if (digits()[i].flag_bit >= 0 && values[i] == 1) cell.flags |= 1u << digits()[i].flag_bit;
  return cell;
}

std::vector<std::string> GoldenState::rows() const {
  std::vector<std::string> rows, choices(digits().size());
  add_rows(0, kCells, 0, choices, rows);
  return rows;
}

// A decision tree over the digits in their order: values that lead to the same are one branch.
void GoldenState::add_rows(std::size_t begin, std::size_t size, std::size_t digit,
                           std::vector<std::string>& choices,
                           std::vector<std::string>& rows) const {
  const auto from = outcomes_.begin() + static_cast<std::ptrdiff_t>(begin);
  if (std::all_of(from, from + static_cast<std::ptrdiff_t>(size),
                  [&](const std::string& o) { return o == *from; })) {
    for (std::size_t i = digit; i < digits().size(); ++i)
      choices[i] = digits()[i].flag_bit >= 0 ? "." : "any";
    rows.push_back(row_text(choices, *from));
    return;
  }
  const std::size_t count = digits()[digit].values.size(), part = size / count;
  const auto part_at = [&](std::size_t v) { return from + static_cast<std::ptrdiff_t>(v * part); };
  std::vector<bool> done(count);
  for (std::size_t v = 0; v < count; ++v) {
    if (done[v]) continue;
    std::vector<std::size_t> alike;
    for (std::size_t w = v; w < count; ++w) {
      if (!std::equal(part_at(v), part_at(v) + static_cast<std::ptrdiff_t>(part), part_at(w)))
        continue;
      alike.push_back(w);
      done[w] = true;
    }
    choices[digit] = spell(digits()[digit], alike);
    add_rows(begin + v * part, part, digit + 1, choices, rows);
  }
}

bool GoldenState::add_row(std::string_view row) {
  std::istringstream words{std::string(row)};
  std::string flags, arrow, outcome;
  std::vector<std::string> patterns(digits().size());
  words >> flags >> patterns[kSeqDigit] >> patterns[kAckDigit] >> arrow;
  std::getline(words >> std::ws, outcome);
  if (flags.size() != kFlagLetters.size() || arrow != "->" || outcome.empty()) return false;
  for (std::size_t i = 0; i < flags.size(); ++i)
    patterns[digit_of(kFlagLetters[i])] = flags.substr(i, 1);
  bool matched = false;
  for (std::size_t index = 0; index < kCells; ++index) {
    const auto values = values_of(index);
    bool fits = true;
    for (std::size_t i = 0; i < digits().size() && fits; ++i)
      fits = allows(patterns[i], digits()[i].values[values[i]]);
    if (!fits) continue;
    if (!outcomes_[index].empty()) return false;
    outcomes_[index] = outcome;
    matched = true;
  }
  return matched;
}

GoldenTable read_golden_table(const std::string& path) {
  std::ifstream file(path);
  if (!file) std::cerr << path << ": cannot be read\n";
  GoldenTable table;
  std::string state;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') {
      state = line.substr(1, line.find(']') - 1);
    } else if (!table[state].add_row(line)) {
      std::cerr << path << ":" << number << ": not a row, or it overlaps one above\n";
      return {};
    }
  }
  return table;
}

void write_golden_table(const std::string& path, const std::vector<std::string>& states,
                        const GoldenTable& table) {
  std::ifstream before(path);
  std::string text;
  for (std::string line; std::getline(before, line) && !line.empty() && line[0] == '#';)
    text += line + "\n";
  before.close();
  for (const std::string& state : states) {
    text += "\n[" + state + "]\n";
    for (const std::string& row : table.at(state).rows()) text += row + "\n";
  }
  std::ofstream(path) << text;
}

}  // namespace tern::test
