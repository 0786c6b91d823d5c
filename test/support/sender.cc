// SPDX-License-Identifier: BSD-3-Clause
#include "support/sender.h"

#include "base/prng.h"

namespace tern::test {

std::string random_text(std::size_t bytes, std::uint64_t seed) {
  Prng prng(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(prng.next());
  return text;
}

void Sender::on_established(Connection c) {
  RecordingHandler::on_established(c);
  pump(c);
}

void Sender::on_writable(Connection c) {
  RecordingHandler::on_writable(c);
  pump(c);
}

void Sender::pump(Connection c) {
  std::size_t& sent = sent_[&record_of(c)];
  while (sent < text_.size()) {
    const auto taken = c.write(std::as_bytes(std::span(text_).subspan(sent)));
    if (!taken || *taken == 0) return;
    sent += *taken;
  }
  c.shutdown_send();
}

}  // namespace tern::test
