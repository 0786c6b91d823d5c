// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "request.h"
#include "site.h"
#include "tern/handler.h"

namespace http {

/// Answers GET and HEAD with what a Site holds: HTTP/1.1 with keep-alive and pipelining (RFC 9110,
/// 9112). The next request is not looked at before the last answer lies in the send queue, so that
/// a client that never reads holds no more than one head here; the receive window does the rest.
/// Thread: the stack's.
class HttpServer final : public tern::ConnectionHandler {
 public:
  using WallClock = std::function<std::int64_t()>;  // seconds since 1970, for the Date field

  HttpServer(const Site& site, WallClock clock) : site_(site), clock_(std::move(clock)) {}

  std::uint64_t requests() const { return requests_; }

  void on_established(tern::Connection c) override;
  void on_readable(tern::Connection c) override { serve(c); }
  void on_writable(tern::Connection c) override { serve(c); }
  void on_peer_finished(tern::Connection c) override;
  void on_closed(tern::Connection c, tern::CloseReason) override;

 private:
  struct Session {
    std::string input;            // received and not yet parsed
    std::string head;             // of the answer that is on its way
    std::string_view body;        // the site's, or none
    std::size_t sent = 0;         // of head and body
    std::uint64_t skip = 0;       // bytes of a request's body
    std::string_view connection;  // the field that says whether it stays open
    bool last = false;            // close after this answer
    bool peer_finished = false;
  };

  void serve(tern::Connection c);
  static void close(tern::Connection c);
  bool send_answer(tern::Connection c, Session& session);
  bool read_request(tern::Connection c, Session& session);
  bool take_request(Session& session);
  void answer(Session& session, const Request& request);
  void refuse(Session& session, int status);
  void write_head(Session& session, int status, std::string_view fields, std::size_t length);
  const std::string& date();

  const Site& site_;
  WallClock clock_;
  std::int64_t date_second_ = -1;
  std::string date_;
  std::uint64_t last_id_ = 0, requests_ = 0;
  std::unordered_map<std::uint64_t, Session> sessions_;  // by the connection's user data
};

}  // namespace http
