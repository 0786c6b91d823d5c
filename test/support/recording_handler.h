// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tern/handler.h"

namespace tern::test {

/// What one connection's handler heard.
struct ConnectionRecord {
  Connection connection;
  unsigned established = 0;  // calls
  unsigned readable = 0;
  unsigned writable = 0;
  unsigned peer_finished = 0;
  unsigned stalled = 0;
  unsigned closed = 0;
  std::vector<std::size_t> urgent;  // the bytes of each on_urgent
  std::vector<SoftError> soft_errors;
  std::optional<CloseReason> reason;  // of on_closed
  std::string received;               // every byte read, in order
};

/// A handler that reads everything and remembers what it was told. Its switches make it a little
/// application; derive from it for more.
class RecordingHandler : public ConnectionHandler {
 public:
  bool read = true;             ///< on_readable takes all; false: the window fills up
  bool echo = false;            ///< what is read is sent back (forwarded)
  bool close_with_peer = true;  ///< on_peer_finished closes our side

  void on_established(Connection c) override { ++record_of(c).established; }
  void on_urgent(Connection c, std::size_t bytes) override { record_of(c).urgent.push_back(bytes); }
  void on_readable(Connection c) override;
  void on_writable(Connection c) override;
  void on_soft_error(Connection c, SoftError error) override {
    record_of(c).soft_errors.push_back(error);
  }
  void on_stalled(Connection c) override { ++record_of(c).stalled; }
  void on_peer_finished(Connection c) override;
  void on_closed(Connection c, CloseReason reason) override;

  /// Takes what has arrived, for tests with `read` off.
  void read_all(Connection c);

  /// The record of a connection, made at need; references stay valid.
  ConnectionRecord& record_of(Connection c);
  /// All of them, in the order in which they were first heard of.
  std::deque<ConnectionRecord>& records() { return records_; }
  /// The record of the only connection; fails the test if there is not exactly one.
  ConnectionRecord& only();

 private:
  std::deque<ConnectionRecord> records_;
};

}  // namespace tern::test
