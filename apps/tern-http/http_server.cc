// SPDX-License-Identifier: BSD-3-Clause
#include "http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <map>
#include <span>

namespace http {

namespace {

using Kind = ParseResult::Kind;

std::string_view phrase_of(int status) {
  static const std::map<int, std::string_view> kPhrases = {{200, "OK"},
                                                           {301, "Moved Permanently"},
                                                           {304, "Not Modified"},
                                                           {400, "Bad Request"},
                                                           {404, "Not Found"},
                                                           {405, "Method Not Allowed"},
                                                           {431, "Request Header Fields Too Large"},
                                                           {501, "Not Implemented"},
                                                           {505, "HTTP Version Not Supported"}};
  return kPhrases.at(status);
}

// A list of tags, or "*"; a weak comparison (RFC 9110 13.1.2).
bool matches(std::string_view if_none_match, std::string_view etag) {
  return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

}  // namespace

void HttpServer::on_established(tern::Connection c) {
  c.set_user_data(++last_id_);
  c.set_nodelay(true);  // an answer's last, short segment shall not wait for an ACK
  sessions_.try_emplace(last_id_);
}

void HttpServer::on_closed(tern::Connection c, tern::CloseReason) {
  sessions_.erase(c.user_data());
}

// What has been asked before the end is still answered.
void HttpServer::on_peer_finished(tern::Connection c) {
  const auto found = sessions_.find(c.user_data());
  if (found != sessions_.end()) found->second.peer_finished = true;
  serve(c);
}

void HttpServer::serve(tern::Connection c) {
  const auto found = sessions_.find(c.user_data());
  if (found == sessions_.end()) return;
  Session& session = found->second;
  while (send_answer(c, session)) {
    if (session.last) return close(c);
    if (read_request(c, session)) continue;
    if (session.peer_finished) c.shutdown_send();
    return;
  }
}

// Unread bytes would make the close a reset, which could overtake the answer (RFC 9112 9.6).
void HttpServer::close(tern::Connection c) {
  while (c.receive()) continue;
  c.close();
}

// False: not all of it went; on_writable follows.
bool HttpServer::send_answer(tern::Connection c, Session& session) {
  const std::size_t all = session.head.size() + session.body.size();
  while (session.sent < all) {
    const bool in_head = session.sent < session.head.size();
    const std::string_view rest = in_head ? std::string_view(session.head).substr(session.sent)
                                          : session.body.substr(session.sent - session.head.size());
    const auto more =
        in_head && !session.body.empty() ? tern::SendFlags::kMore : tern::SendFlags::kNone;
    const auto taken = c.write(std::as_bytes(std::span(rest)), more);
    if (!taken.ok() || *taken == 0) return false;
    session.sent += *taken;
  }
  session.head.clear();
  session.body = {};
  session.sent = 0;
  return true;
}

// False: no whole request has arrived yet.
bool HttpServer::read_request(tern::Connection c, Session& session) {
  for (;;) {
    const std::size_t skipped = std::min<std::uint64_t>(session.skip, session.input.size());
    session.input.erase(0, skipped);
    session.skip -= skipped;
    if (!session.input.empty() && take_request(session)) return true;
    const auto chunk = c.receive();
    if (!chunk) return false;
    const auto bytes = chunk->bytes();
    session.input.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

bool HttpServer::take_request(Session& session) {
  Request request;
  const ParseResult result = parse_request(session.input, request);
  if (result.kind == Kind::kNeedMore) return false;
  ++requests_;
  if (result.kind == Kind::kBad) {
    refuse(session, result.status);
    return true;
  }
  answer(session, request);
  session.skip = request.body_bytes;
  session.input.erase(0, result.head_bytes);
  return true;
}

void HttpServer::answer(Session& session, const Request& request) {
  session.last = !request.keep_alive;
  session.connection = session.last       ? "Connection: close\r\n"
                       : request.http_1_0 ? "Connection: keep-alive\r\n"
                                          : "";
  const bool head_only = request.method == "HEAD";
  if (!head_only && request.method != "GET")
    return write_head(session, 405, "Allow: GET, HEAD\r\n", 0);
  const Resource* resource = site_.find(request.path);
  if (resource == nullptr) {
    constexpr std::string_view kNotFound = "not found\n";
    write_head(session, 404, "Content-Type: text/plain; charset=utf-8\r\n", kNotFound.size());
    if (!head_only) session.body = kNotFound;
    return;
  }
  if (!resource->location.empty())
    return write_head(session, 301, fmt::format("Location: {}\r\n", resource->location), 0);
  const bool unchanged =
      !request.if_none_match.empty() && matches(request.if_none_match, resource->etag);
  write_head(
      session, unchanged ? 304 : 200,
      fmt::format("Content-Type: {}\r\nETag: {}\r\n", resource->content_type, resource->etag),
      resource->content.size());
  if (!head_only && !unchanged) session.body = resource->content;
}

// What follows a wrong head cannot be told from its rest: the connection ends.
void HttpServer::refuse(Session& session, int status) {
  session.last = true;
  session.connection = "Connection: close\r\n";
  session.input.clear();
  write_head(session, status, "", 0);
}

void HttpServer::write_head(Session& session, int status, std::string_view fields,
                            std::size_t length) {
  session.head.clear();
  fmt::format_to(std::back_inserter(session.head),
                 "HTTP/1.1 {} {}\r\nServer: tern-http\r\nDate: {}\r\n{}", status, phrase_of(status),
                 date(), fields);
  // A 304 has no content, and its length would be that of the 200 (RFC 9110 15.4.5).
  if (status != 304)
    fmt::format_to(std::back_inserter(session.head), "Content-Length: {}\r\n", length);
  session.head += session.connection;
  session.head += "\r\n";
}

// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
const std::string& HttpServer::date() {
  const std::int64_t now = clock_();
  if (now != date_second_) {
    date_second_ = now;
    const auto time = static_cast<std::time_t>(now);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date_ = text;
  }
  return date_;
}

}  // namespace http
