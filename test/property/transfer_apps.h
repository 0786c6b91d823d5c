// SPDX-License-Identifier: BSD-3-Clause
// Little applications that put up with refusals.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/prng.h"
#include "tern/handler.h"

namespace tern::test {

inline std::string random_text(std::size_t bytes, std::uint64_t seed) {
  Prng prng(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(prng.next());
  return text;
}

/// Sends a text as the stack takes it, then closes its side; keeps what comes back. For one
/// connection.
class Sender : public ConnectionHandler {
 public:
  explicit Sender(std::string text) : text_(std::move(text)) {}

  void on_established(Connection c) override { pump(c); }
  void on_writable(Connection c) override { pump(c); }
  void on_readable(Connection c) override {
    while (const auto chunk = c.receive())
      received_.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->size());
  }
  void on_closed(Connection, CloseReason reason) override { reason_ = reason; }

  const std::string& text() const { return text_; }
  const std::string& received() const { return received_; }
  std::optional<CloseReason> reason() const { return reason_; }
  bool closed() const { return reason_.has_value(); }

 private:
  void pump(Connection c) {
    while (sent_ < text_.size()) {
      const auto taken = c.write(std::as_bytes(std::span(text_).subspan(sent_)));
      if (!taken || *taken == 0) return;
      sent_ += *taken;
    }
    c.shutdown_send();
  }

  std::string text_, received_;
  std::size_t sent_ = 0;
  std::optional<CloseReason> reason_;
};

/// Sends back what comes in, on any number of connections, and waits when it cannot.
class PatientEcho : public ConnectionHandler {
 public:
  void on_established(Connection c) override {
    c.set_user_data(++last_id_);
    ++connections_;
  }
  void on_readable(Connection c) override { pump(c); }
  void on_writable(Connection c) override { pump(c); }
  void on_peer_finished(Connection c) override {
    flows_[c.user_data()].finished = true;
    pump(c);
  }
  void on_closed(Connection c, CloseReason reason) override {
    flows_.erase(c.user_data());
    if (reason == CloseReason::kFinished) ++finished_;
  }

  unsigned connections() const { return connections_; }
  unsigned finished() const { return finished_; }

 private:
  struct Flow {
    std::optional<RxChunk> refused;  // to be forwarded first
    bool finished = false;
  };

  void pump(Connection c) {
    Flow& flow = flows_[c.user_data()];
    if (flow.refused && !forward(c, flow, std::move(*flow.refused))) return;
    while (auto chunk = c.receive(c.send_space()))
      if (!forward(c, flow, std::move(*chunk))) return;
    if (flow.finished) c.shutdown_send();
  }

  static bool forward(Connection c, Flow& flow, RxChunk chunk) {
    const bool sent = c.forward(std::move(chunk)) == Errc::kOk;
    flow.refused = sent ? std::nullopt : std::optional<RxChunk>(std::move(chunk));
    return sent;
  }

  std::map<std::uint64_t, Flow> flows_;
  std::uint64_t last_id_ = 0;
  unsigned connections_ = 0, finished_ = 0;
};

/// Never reads, and answers with more than the peer will ever take.
class Hog : public ConnectionHandler {
 public:
  explicit Hog(std::size_t writes = 0) : bytes_(writes, '.') {}
  void on_established(Connection c) override { pump(c); }
  void on_writable(Connection c) override { pump(c); }
  void on_readable(Connection) override {}
  void on_peer_finished(Connection) override {}

 private:
  void pump(Connection c) {
    if (!bytes_.empty()) static_cast<void>(c.write(std::as_bytes(std::span(bytes_))));
  }
  std::string bytes_;
};

}  // namespace tern::test
