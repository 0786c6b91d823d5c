// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <http_parser.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "options.h"
#include "report.h"
#include "tern/handler.h"
#include "tern/stack.h"

namespace bench {

/// Counts connections, which all four services do alike.
class Service : public tern::ConnectionHandler {
 public:
  explicit Service(Totals& totals) : totals_(totals) {}
  void on_established(tern::Connection) override { ++totals_.opened; }
  void on_closed(tern::Connection, tern::CloseReason reason) override {
    ++(reason == tern::CloseReason::kFinished ? totals_.closed : totals_.failures);
  }

 protected:
  Totals& totals_;
};

/// Sends back what it receives, in the buffers that it arrived in. A request is what one buffer
/// holds: exact for requests of one segment.
class EchoService final : public Service {
 public:
  using Service::Service;
  void on_readable(tern::Connection c) override { echo(c); }
  void on_writable(tern::Connection c) override { echo(c); }
  void on_peer_finished(tern::Connection c) override;
  void on_closed(tern::Connection c, tern::CloseReason reason) override;

 private:
  /// What could not be sent at once: the stack was out of buffers.
  struct Refused {
    tern::RxChunk chunk;
    bool finish = false;  // the peer has finished: so do we when the chunk has gone
  };
  void echo(tern::Connection c);
  bool send_refused(tern::Connection c);

  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Refused> refused_;  // by the connection's user data
};

/// Receives and throws away.
class DiscardService final : public Service {
 public:
  using Service::Service;
  void on_readable(tern::Connection c) override {
    while (const auto chunk = c.receive()) totals_.bytes_in += chunk->size();
  }
};

/// Sends zeros for as long as the peer takes them.
class SourceService final : public Service {
 public:
  using Service::Service;
  void on_established(tern::Connection c) override;
  void on_readable(tern::Connection c) override {
    while (c.receive()) continue;
  }
  void on_writable(tern::Connection c) override { fill(c); }

 private:
  void fill(tern::Connection c);
};

/// Answers each GET with a body of `size` bytes; keeps the connection unless asked to close it.
class HttpService final : public Service {
 public:
  HttpService(Totals& totals, std::size_t size);
  void on_established(tern::Connection c) override;
  void on_readable(tern::Connection c) override;
  void on_closed(tern::Connection c, tern::CloseReason reason) override;

 private:
  /// What one connection's requests are read with; the library hands it to its callbacks.
  struct Reader {
    http_parser parser;
    HttpService* service;
    tern::Connection connection;
  };
  void answer(tern::Connection c, bool keep);

  http_parser_settings settings_;
  std::string answer_;
  std::unordered_map<std::uint64_t, Reader> readers_;  // by the connection's user data
  std::uint64_t last_id_ = 0;
};

/// The four services on one stack.
class Server {
 public:
  explicit Server(const Options& options);
  /// The port that could not be had, or 0.
  std::uint16_t listen(tern::Stack& stack);
  const Totals& totals() const { return totals_; }

 private:
  const Options& options_;
  Totals totals_;
  EchoService echo_;
  DiscardService discard_;
  SourceService source_;
  HttpService http_;
};

}  // namespace bench
