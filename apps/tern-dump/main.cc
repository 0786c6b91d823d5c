// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "common/watch_tool.h"
#include "packet_text.h"
#include "pcapng_reader.h"

namespace {

using app::TelemetryClient;
using app::WatchTool;

constexpr int kLongestWaitMs = 500;
constexpr std::uint64_t kMostPackets = std::uint64_t{1} << 62;
constexpr const char* kHelp =
    R"(usage: tern-dump [OPTION...] [FILTER]
Prints the packets of a running Tern process as they pass, as tcpdump does.

  -X              each packet's bytes in hex and ASCII
  -S              absolute sequence numbers
  -c N            ends after N packets
  -w FILE         writes pcapng there instead; - is stdout, for Wireshark:
                    tern-dump -w - | wireshark -k -i -
  -i ANY  -n      nothing: there is one interface, and names are not looked up
  --file-prefix P the process with this DPDK file prefix, if there are several
  --version  --help
filter: libpcap's language, e.g.  tern-dump -Xni any port 9999
exit status: 0; 1 no Tern process is running, or it ended; 2 a mistake in the
command line
)";

struct Options {
  dump::TextOptions text;
  std::uint64_t count = kMostPackets;
  std::string write_to;
  std::vector<std::string> filter;
};

/// A named pipe in a directory that nobody else may enter; both go away with it.
class PrivatePipe {
 public:
  PrivatePipe() {
    if (::mkdtemp(directory_.data()) == nullptr) return;
    path_ = directory_ + "/packets";
    if (::mkfifo(path_.c_str(), 0600) == 0)
      descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~PrivatePipe() {
    if (descriptor_ >= 0) ::close(descriptor_);
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }
  PrivatePipe(const PrivatePipe&) = delete;
  PrivatePipe& operator=(const PrivatePipe&) = delete;

  bool ok() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }

 private:
  std::string directory_ = "/tmp/tern-dump.XXXXXX";
  std::string path_;
  int descriptor_ = -1;
};

void add_options(CLI::App& app, Options& options, std::string& ignored) {
  app.add_flag("-X", options.text.hex);
  app.add_flag("-S", options.text.absolute);
  app.add_option("-c", options.count)->check(CLI::Range(std::uint64_t{1}, kMostPackets));
  app.add_option("-w", options.write_to);
  app.add_option("-i", ignored);
  app.add_flag("-n");
  app.add_option("filter", options.filter);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// A reader who reads no more must not keep an interrupt waiting: so much goes into a pipe that has
// room without blocking.
bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, kLongestWaitMs) <= 0) {
      if (app::is_interrupted()) return false;
      continue;
    }
    const ssize_t n =
        ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// Calls `use` for whatever comes out of the pipe, until that answers false, the process ends, or
/// somebody interrupts. False: the process has ended.
bool read_pipe(int descriptor, const std::function<bool(std::span<const std::byte>)>& use) {
  std::vector<std::byte> buffer(64 << 10);
  while (!app::is_interrupted()) {
    pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
    // Not for ever: an interrupt may come between the look at it and this.
    if (::poll(&ready, 1, kLongestWaitMs) <= 0) continue;
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return false;
    if (!use(std::span(buffer).first(static_cast<std::size_t>(n)))) return true;
  }
  return true;
}

/// What a capture came to.
struct Outcome {
  int status = 0;
  std::uint64_t packets = 0;  ///< shown, or written
};

Outcome copy_to(const WatchTool& tool, const Options& options, int pipe) {
  const std::string& path = options.write_to;
  const int out = path == "-"
                      ? STDOUT_FILENO
                      : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) return {.status = tool.fail(path + ": " + std::strerror(errno))};
  Outcome outcome;
  // Whole blocks only: whenever it ends, what was written is a whole capture.
  std::vector<std::byte> pending;
  const bool alive = read_pipe(pipe, [&](std::span<const std::byte> bytes) {
    pending.insert(pending.end(), bytes.begin(), bytes.end());
    const dump::Blocks whole = dump::whole_blocks(pending, options.count - outcome.packets);
    if (!write_all(out, std::span(pending).first(whole.bytes))) return false;
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(whole.bytes));
    outcome.packets += whole.packets;
    return outcome.packets < options.count;
  });
  if (!alive) outcome.status = tool.fail("the process has ended");
  return outcome;
}

Outcome print_packets(const WatchTool& tool, const Options& options, int pipe) {
  dump::PacketText text(options.text);
  Outcome outcome;
  dump::PcapngReader reader([&](const dump::Packet& packet) {
    if (outcome.packets == options.count) return;
    std::fputs(text(packet).c_str(), stdout);
    ++outcome.packets;
  });
  const bool alive = read_pipe(pipe, [&](std::span<const std::byte> bytes) {
    const bool readable = reader.feed(bytes);
    const bool heard = std::fflush(stdout) == 0;
    return readable && heard && outcome.packets < options.count;
  });
  if (!alive) outcome.status = tool.fail("the process has ended");
  return outcome;
}

// Nothing: the process has ended, and tells no more.
std::optional<std::uint64_t> frames_lost(TelemetryClient& process, const std::string& path) {
  const auto captures = process.ask("/tern/captures");
  if (!captures.ok()) return std::nullopt;
  for (const auto& capture : *captures)
    if (capture.value("target", "") == path) return capture.value("frames_lost", std::uint64_t{0});
  return std::nullopt;
}

int dump_process(const WatchTool& tool, TelemetryClient& process, const Options& options) {
  const PrivatePipe pipe;
  if (!pipe.ok())
    return tool.fail(std::string("no named pipe under /tmp: ") + std::strerror(errno));
  const auto answer = process.ask("/tern/capture," + pipe.path() + "," + join(options.filter));
  if (!answer.ok()) return tool.fail(answer.status());
  if (answer->contains("error"))
    return tool.fail(answer->value("error", ""), answer->value("mistake", 0) != 0);
  fmt::print(stderr, "tern-dump: listening on {} of {} (pid {})\n", answer->value("interface", "?"),
             process.program(), process.pid());
  const Outcome outcome = options.write_to.empty() ? print_packets(tool, options, pipe.descriptor())
                                                   : copy_to(tool, options, pipe.descriptor());
  const auto lost = frames_lost(process, pipe.path());
  fmt::print(stderr, "tern-dump: {} packets{}\n", outcome.packets,
             lost ? fmt::format(", {} lost", *lost) : "");
  return outcome.status;
}

}  // namespace

int main(int argc, char** argv) {
  WatchTool tool("tern-dump", kHelp);
  Options options;
  std::string ignored;
  add_options(tool.options(), options, ignored);
  if (const auto status = tool.parse(argc, argv)) return *status;
  app::catch_interrupts();
  auto process = tool.find_process();
  return process.ok() ? dump_process(tool, *process, options) : tool.fail(process.status());
}
