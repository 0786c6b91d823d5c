// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "support/recording_handler.h"

namespace tern::test {

/// Bytes that look like nothing, the same for the same seed.
std::string random_text(std::size_t bytes, std::uint64_t seed);

/// A handler that writes a text on each of its connections as the send queue allows, then shuts
/// down; it reads what comes.
class Sender : public RecordingHandler {
 public:
  explicit Sender(std::string text) : text_(std::move(text)) { close_with_peer = false; }
  void on_established(Connection c) override;
  void on_writable(Connection c) override;
  const std::string& text() const { return text_; }

 private:
  void pump(Connection c);
  std::string text_;
  std::map<const ConnectionRecord*, std::size_t> sent_;
};

}  // namespace tern::test
