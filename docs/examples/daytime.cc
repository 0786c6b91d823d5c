// SPDX-License-Identifier: BSD-3-Clause
// The Daytime protocol (RFC 867) on a DPDK device: whoever connects is told the time, and the
// server closes. The runtime owns EAL, the device, the loop and the signals.
//   daytime                       behind a tap device, tern0
//   ip address add 10.0.2.1/24 dev tern0; nc 10.0.2.2 13
//   daytime -l 1 -a 0000:00:05.0  on a NIC, by DPDK's own arguments
#include <tern/runtime.h>

#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

namespace {

class Daytime final : public tern::ConnectionHandler {
 public:
  void on_established(tern::Connection c) override {
    const std::time_t now = std::time(nullptr);
    const std::string text = std::ctime(&now);
    if (!c.write(std::as_bytes(std::span(text))).ok()) return c.abort();
    c.shutdown_send();  // FIN behind the text
  }
  void on_readable(tern::Connection c) override {
    while (c.receive()) continue;  // RFC 867: what the client sends is thrown away
  }
};

int fail(const absl::Status& status) {
  std::fprintf(stderr, "daytime: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  tern::RuntimeConfig config;
  config.program = "daytime";
  config.eal_arguments.assign(argv + 1, argv + argc);
  config.stack.address = *tern::Ipv4Prefix::parse("10.0.2.2/24");
  auto runtime = tern::Runtime::create(config);
  if (!runtime.ok()) return fail(runtime.status());
  tern::ListenOptions options;
  options.port = 13;
  // On every worker, each with a handler of its own: one by default, as many as cores with -l 0-3.
  const auto make_handler = [](unsigned) { return std::make_unique<Daytime>(); };
  if ((*runtime)->listen(options, make_handler) != tern::Errc::kOk) return 1;
  std::puts("listening");
  std::fflush(stdout);
  const absl::Status status = (*runtime)->run();  // until SIGINT or SIGTERM, then it drains
  return status.ok() ? 0 : fail(status);
}
