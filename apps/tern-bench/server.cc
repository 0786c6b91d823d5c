// SPDX-License-Identifier: BSD-3-Clause
#include "server.h"

#include <fmt/format.h>

#include <span>

namespace bench {

using tern::CloseReason;
using tern::Connection;
using tern::Errc;

namespace {

bool can_send(tern::TcpState state) {
  return state == tern::TcpState::kEstablished || state == tern::TcpState::kCloseWait;
}

bool is_for_later(Errc error) { return error == Errc::kQueueFull || error == Errc::kNoBuffers; }

}  // namespace

// Takes no more than the send queue holds, so that forward() fails only if the stack as a whole is
// out of buffers; then the chunk waits for on_writable.
void EchoService::echo(Connection c) {
  if (!can_send(c.state())) {
    while (c.receive()) continue;  // the stack drains, and our side has finished
    return;
  }
  if (!refused_.empty() && !send_refused(c)) return;
  while (auto chunk = c.receive_to_forward()) {
    ++totals_.requests;
    totals_.bytes_in += chunk->size();
    totals_.bytes_out += chunk->size();
    const Errc error = c.forward(std::move(*chunk));
    if (error == Errc::kOk) continue;
    if (!is_for_later(error)) return;
    c.set_user_data(++last_id_);
    refused_.emplace(last_id_, Refused{.chunk = std::move(*chunk)});
    return;
  }
}

// False: a chunk still waits, and nothing may overtake it.
bool EchoService::send_refused(Connection c) {
  const auto found = refused_.find(c.user_data());
  if (found == refused_.end()) return true;
  if (is_for_later(c.forward(std::move(found->second.chunk)))) return false;
  const bool finish = found->second.finish;
  refused_.erase(found);
  if (finish) c.shutdown_send();
  return true;
}

void EchoService::on_peer_finished(Connection c) {
  const auto found = refused_.find(c.user_data());
  if (found == refused_.end())
    c.shutdown_send();
  else
    found->second.finish = true;
}

void EchoService::on_closed(Connection c, CloseReason reason) {
  if (c.user_data() != 0) refused_.erase(c.user_data());
  Service::on_closed(c, reason);
}

void SourceService::on_established(Connection c) {
  Service::on_established(c);
  fill(c);
}

void SourceService::fill(Connection c) {
  static constexpr std::byte kZeros[16 * 1024]{};
  for (;;) {
    const auto written = c.write(kZeros);
    if (!written.ok()) return;
    totals_.bytes_out += *written;
    if (*written < sizeof kZeros) return;
  }
}

HttpService::HttpService(Totals& totals, std::size_t size)
    : Service(totals),
      answer_(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                          "Content-Length: {}\r\n\r\n",
                          size)) {
  answer_.append(size, 'x');
  http_parser_settings_init(&settings_);
  settings_.on_message_complete = [](http_parser* parser) {
    const auto& reader = *static_cast<Reader*>(parser->data);
    reader.service->answer(reader.connection, http_should_keep_alive(parser) != 0);
    return 0;
  };
}

void HttpService::on_established(Connection c) {
  Service::on_established(c);
  c.set_user_data(++last_id_);
  Reader& reader = readers_[last_id_];
  reader.service = this;
  reader.connection = c;
  http_parser_init(&reader.parser, HTTP_REQUEST);
  reader.parser.data = &reader;
}

void HttpService::on_readable(Connection c) {
  http_parser& parser = readers_.at(c.user_data()).parser;
  while (const auto chunk = c.receive()) {
    totals_.bytes_in += chunk->size();
    const auto* text = reinterpret_cast<const char*>(chunk->bytes().data());
    if (http_parser_execute(&parser, &settings_, text, chunk->size()) != chunk->size())
      return c.abort();
  }
}

void HttpService::on_closed(Connection c, CloseReason reason) {
  readers_.erase(c.user_data());
  Service::on_closed(c, reason);
}

// An answer that does not fit the send queue ends the connection: the client asks for more than it
// reads.
void HttpService::answer(Connection c, bool keep) {
  ++totals_.requests;
  const auto written = c.write(std::as_bytes(std::span(answer_)));
  if (!written.ok() || *written < answer_.size()) return c.abort();
  totals_.bytes_out += *written;
  if (!keep) c.shutdown_send();
}

Server::Server(const Options& options)
    : options_(options),
      echo_(totals_),
      discard_(totals_),
      source_(totals_),
      http_(totals_, options.size) {}

namespace {

// Of each family that the stack has.
bool listen_at(tern::Stack& stack, std::uint16_t port, tern::ConnectionHandler& service) {
  return stack.listen({.address = tern::Ipv4Address(), .port = port}, service).ok() &&
         (!stack.config().ip6 ||
          stack.listen({.address = tern::Ipv6Address(), .port = port}, service).ok());
}

}  // namespace

std::uint16_t Server::listen(tern::Stack& stack) {
  tern::ConnectionHandler* const services[kPortCount] = {&echo_, &discard_, &source_, &http_};
  for (std::uint16_t i = 0; i < kPortCount; ++i) {
    const auto port = static_cast<std::uint16_t>(options_.port + i);
    if (!listen_at(stack, port, *services[i])) return port;
  }
  const std::uint32_t more = options_.echo_ports ? options_.echo_ports->count() : 0;
  for (std::uint32_t i = 0; i < more; ++i) {
    const std::uint16_t port = (*options_.echo_ports)[i];
    if (!listen_at(stack, port, echo_)) return port;
  }
  return 0;
}

}  // namespace bench
