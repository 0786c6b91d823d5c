// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/telemetry_client.h"
#include "packet_text.h"
#include "pcapng_reader.h"

namespace {

using app::TelemetryClient;

constexpr int kUsageError = 2;
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
  std::uint64_t count = 0;  // 0: without end
  std::string write_to;
  std::string file_prefix;
  std::vector<std::string> filter;
};

std::atomic<bool> interrupted = false;

int fail(const std::string& why, int status = 1) {
  fmt::print(stderr, "tern-dump: {}\n", why);
  return status;
}

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
  app.add_option("-c", options.count);
  app.add_option("-w", options.write_to);
  app.add_option("-i", ignored);
  app.add_flag("-n");
  app.add_option("--file-prefix", options.file_prefix);
  app.add_option("filter", options.filter);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR && !interrupted) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// Calls `use` for whatever comes out of the pipe, until that answers false, the process ends, or
/// somebody interrupts. False: the process has ended.
bool read_pipe(int descriptor, const std::function<bool(std::span<const std::byte>)>& use) {
  std::vector<std::byte> buffer(64 << 10);
  while (!interrupted) {
    pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, -1) < 0) continue;
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return false;
    if (!use(std::span(buffer).first(static_cast<std::size_t>(n)))) return true;
  }
  return true;
}

int copy_to(const std::string& path, int pipe) {
  const int out = path == "-"
                      ? STDOUT_FILENO
                      : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) return fail(path + ": " + std::strerror(errno));
  const bool alive =
      read_pipe(pipe, [out](std::span<const std::byte> b) { return write_all(out, b); });
  return alive ? 0 : fail("the process has ended");
}

int print_packets(const Options& options, int pipe) {
  dump::PacketText text(options.text);
  std::uint64_t printed = 0;
  dump::PcapngReader reader([&](const dump::Packet& packet) {
    if (options.count != 0 && printed == options.count) return;
    std::fputs(text(packet).c_str(), stdout);
    ++printed;
  });
  const bool alive = read_pipe(pipe, [&](std::span<const std::byte> bytes) {
    const bool readable = reader.feed(bytes);
    const bool heard = std::fflush(stdout) == 0;
    return readable && heard && (options.count == 0 || printed < options.count);
  });
  return alive ? 0 : fail("the process has ended");
}

int dump_process(TelemetryClient& process, const Options& options) {
  const PrivatePipe pipe;
  if (!pipe.ok()) return fail(std::string("no named pipe under /tmp: ") + std::strerror(errno));
  const auto answer = process.ask("/tern/capture," + pipe.path() + "," + join(options.filter));
  if (!answer.ok()) return fail(std::string(answer.status().message()));
  if (answer->contains("error"))
    return fail(answer->value("error", ""), answer->value("mistake", 0) ? kUsageError : 1);
  fmt::print(stderr, "tern-dump: listening on {} of {} (pid {})\n", answer->value("interface", "?"),
             process.program(), process.pid());
  return options.write_to.empty() ? print_packets(options, pipe.descriptor())
                                  : copy_to(options.write_to, pipe.descriptor());
}

int run(const Options& options) {
  auto processes = app::find_processes(options.file_prefix);
  if (!processes.ok()) return fail(std::string(processes.status().message()));
  if (processes->size() == 1) return dump_process(processes->front(), options);
  std::string names;
  for (const TelemetryClient& process : *processes)
    names += fmt::format("\n  --file-prefix {}   {}", process.file_prefix(), process.program());
  return fail("several Tern processes run; choose one:" + names, kUsageError);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string ignored;
  CLI::App app;
  app.formatter_fn([](const CLI::App*, std::string, CLI::AppFormatMode) { return kHelp; });
  app.set_version_flag("--version", "tern-dump (Tern) " TERN_VERSION);
  add_options(app, options, ignored);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(fmt::format("{} (see --help)", error.what()), kUsageError);
  }
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return run(options);
}
