// SPDX-License-Identifier: BSD-3-Clause
#include "sample.h"

#include <algorithm>

namespace top {

namespace {

absl::Status take_sockets(app::TelemetryClient& process, std::size_t limit, Sample& sample) {
  std::uint64_t cursor = 0;
  while (sample.sockets.size() < limit) {
    const auto page = app::next_page(process, true, cursor);
    if (!page.ok()) return page.status();
    for (const app::Socket& socket : page->sockets) sample.sockets.push_back(socket);
    cursor = page->next;
    if (cursor == 0) break;
  }
  sample.more_sockets = cursor != 0;
  return absl::OkStatus();
}

// Some counters a page; each answer begins where the last one ended.
absl::Status take_sentences(app::TelemetryClient& process, Sample& sample) {
  sample.sentences = nlohmann::json::object();
  while (sample.sentences.size() < sample.stats.size()) {
    const auto page = process.ask("/tern/counters," + std::to_string(sample.sentences.size()));
    if (!page.ok()) return page.status();
    if (page->empty()) break;
    sample.sentences.update(*page);
  }
  return absl::OkStatus();
}

}  // namespace

std::uint64_t number(const nlohmann::json& object, const std::string& name) {
  return object.value(name, std::uint64_t{0});
}

absl::StatusOr<Sample> take_sample(app::TelemetryClient& process, std::size_t sockets) {
  Sample sample;
  sample.time = std::chrono::steady_clock::now();
  sample.program = process.program();
  sample.pid = process.pid();
  for (const auto& [command, member] : {std::pair{"/tern/stats", &Sample::stats},
                                        {"/tern/usage", &Sample::usage},
                                        {"/tern/workers", &Sample::workers},
                                        {"/tern/config", &Sample::config}}) {
    auto answer = process.ask(command);
    if (!answer.ok()) return answer.status();
    sample.*member = *std::move(answer);
  }
  if (absl::Status status = take_sentences(process, sample); !status.ok()) return status;
  if (absl::Status status = take_sockets(process, sockets, sample); !status.ok()) return status;
  return sample;
}

}  // namespace top
