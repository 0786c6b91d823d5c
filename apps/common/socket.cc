// SPDX-License-Identifier: BSD-3-Clause
#include "common/socket.h"

#include <charconv>

namespace app {

std::optional<tern::Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  tern::Endpoint endpoint;
  const auto [end, error] =
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), endpoint.port);
  const auto ip = tern::IpAddress::parse(address);
  if (!ip || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  endpoint.address = *ip;
  return endpoint;
}

std::optional<tern::TcpState> parse_state(std::string_view rfc_name) {
  for (std::size_t i = 0; i < tern::kTcpStateCount; ++i)
    if (const auto state = static_cast<tern::TcpState>(i); to_string(state) == rfc_name)
      return state;
  return std::nullopt;
}

namespace {

std::optional<Socket> socket_of(nlohmann::json& answer) {
  const auto state = parse_state(answer.value("state", ""));
  const auto local = parse_endpoint(answer.value("local", ""));
  const auto peer = parse_endpoint(answer.value("peer", ""));
  if (!state || !local || !peer) return std::nullopt;
  return Socket{.state = *state,
                .receive_queue = answer.value("recv_q", std::uint64_t{0}),
                .send_queue = answer.value("send_q", std::uint64_t{0}),
                .local = *local,
                .peer = *peer,
                .details = std::move(answer)};
}

}  // namespace

absl::StatusOr<SocketPage> next_page(TelemetryClient& process, bool full, std::uint64_t cursor) {
  auto answer = process.ask("/tern/sockets," + std::to_string(cursor) + (full ? ",full" : ""));
  if (!answer.ok()) return answer.status();
  SocketPage page{.sockets = {}, .next = answer->value("next", std::uint64_t{0})};
  for (std::size_t i = 0; answer->contains(std::to_string(i)); ++i)
    if (auto socket = socket_of((*answer)[std::to_string(i)]))
      page.sockets.push_back(*std::move(socket));
  return page;
}

absl::Status for_each_socket(TelemetryClient& process, bool full,
                             const std::function<void(const Socket&)>& visit) {
  std::uint64_t cursor = 0;
  do {
    const auto page = next_page(process, full, cursor);
    if (!page.ok()) return page.status();
    for (const Socket& socket : page->sockets) visit(socket);
    cursor = page->next;
  } while (cursor != 0);
  return absl::OkStatus();
}

}  // namespace app
