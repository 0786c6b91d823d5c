// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "common/console.h"
#include "common/host_interface.h"
#include "common/listen.h"
#include "http_server.h"
#include "site.h"
#include "tern/runtime.h"

namespace {

constexpr const char* kUsage =
    R"(usage: tern-http [EAL-ARGUMENT... --] [OPTION...]
Serves the files of a folder by HTTP/1.1, over Tern on DPDK, as 10.0.2.2
behind the tap device tern0 if nothing else is said.

  --root DIR               the folder, read once at start (.)
  --port N                 the TCP port (80)
  --max-megabytes N        of files (256)
)";

constexpr const char* kExamples =
    R"(examples:
  tern-http --root docs --host-ip 10.0.2.1/24       then: curl http://10.0.2.2/
  tern-http -l 1 -a 0000:00:05.0 -- --ip 192.0.2.2/24 --root /srv/www
)";

struct Options : app::CommonOptions {
  std::string root = ".";
  std::uint16_t port = 80;
  std::uint64_t max_megabytes = 256;
};

int fail(const absl::Status& status) { return app::fail("tern-http", status); }

int serve(const Options& options, const http::Site& site, tern::Runtime& runtime) {
  std::vector<const http::HttpServer*> servers;  // one a worker and family
  const tern::Errc error = app::listen(runtime, options, options.port, [&](unsigned) {
    auto server = std::make_unique<http::HttpServer>(
        site, [] { return static_cast<std::int64_t>(std::time(nullptr)); });
    servers.push_back(server.get());
    return server;
  });
  if (error != tern::Errc::kOk)
    return fail(absl::AlreadyExistsError(
        fmt::format("port {}: {}; choose another --port", options.port, tern::to_string(error))));
  app::say(fmt::format("serving {} files of {} at http://{}{}/", site.files(), options.root,
                       to_string(tern::IpAddress(options.runtime.stack.address.address)),
                       options.port == 80 ? "" : fmt::format(":{}", options.port)));
  const absl::Status status = runtime.run();
  std::uint64_t requests = 0;
  for (const http::HttpServer* server : servers) requests += server->requests();
  if (!options.quiet) app::say(fmt::format("{} requests served", requests));
  if (options.stats) app::print_statistics(runtime);
  return status.ok() ? 0 : fail(status);
}

int run(Options options) {
  options.runtime.log = app::make_log(options);
  const auto site = http::Site::load(options.root, options.max_megabytes << 20);
  if (!site.ok()) return fail(site.status());
  auto runtime = app::create_runtime(options);
  if (!runtime.ok()) return fail(runtime.status());
  if (!options.quiet) std::fputs((*runtime)->describe().c_str(), stderr);
  return serve(options, *site, **runtime);
}

}  // namespace

int main(int argc, char** argv) {
  app::prepare_streams();
  Options options;
  app::CommandLine line(
      {.name = "tern-http", .ip = "10.0.2.2/24", .usage = kUsage, .examples = kExamples}, options);
  line.app().add_option("--root", options.root);
  line.app().add_option("--port", options.port)->check(CLI::Range(1, 65535));
  line.app().add_option("--max-megabytes", options.max_megabytes)->check(CLI::Range(1, 1 << 20));
  if (const auto status = line.parse(argc, argv)) return *status;
  return run(std::move(options));
}
