// SPDX-License-Identifier: BSD-3-Clause
#include "support/recording_handler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace tern::test {

ConnectionRecord& RecordingHandler::record_of(Connection c) {
  // From the back: tests speak of recent connections most.
  const auto found = std::find_if(records_.rbegin(), records_.rend(),
                                  [&](const ConnectionRecord& r) { return r.connection == c; });
  if (found != records_.rend()) return *found;
  ConnectionRecord& record = records_.emplace_back();
  record.connection = c;
  return record;
}

ConnectionRecord& RecordingHandler::only() {
  EXPECT_EQ(records_.size(), 1u) << "connections that this handler has heard of";
  return records_.empty() ? records_.emplace_back() : records_.front();
}

void RecordingHandler::on_readable(Connection c) {
  ++record_of(c).readable;
  if (read) read_all(c);
}

void RecordingHandler::on_writable(Connection c) {
  ++record_of(c).writable;
  if (read && echo) read_all(c);  // what receive_to_forward() had refused
}

void RecordingHandler::on_peer_finished(Connection c) {
  ++record_of(c).peer_finished;
  if (close_with_peer) c.shutdown_send();
}

void RecordingHandler::on_closed(Connection c, CloseReason reason) {
  ConnectionRecord& record = record_of(c);
  ++record.closed;
  record.reason = reason;
}

void RecordingHandler::read_all(Connection c) {
  while (auto chunk = echo ? c.receive_to_forward() : c.receive()) {
    const auto bytes = chunk->bytes();
    record_of(c).received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!echo) continue;
    const Errc sent = c.forward(std::move(*chunk));
    EXPECT_EQ(sent, Errc::kOk) << "forwarding what fits in send_space()";
  }
}

}  // namespace tern::test
