// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <variant>

#include "common/console.h"
#include "common/host_interface.h"
#include "common/listen.h"
#include "options.h"
#include "tern/runtime.h"
#include "upper_server.h"

namespace {

using upper::Options;

int fail(const absl::Status& status) { return app::fail("tcp-upper-server", status); }

int serve(const Options& options, tern::Runtime& runtime) {
  const auto make_server = [&options](unsigned) {
    return std::make_unique<upper::UpperServer>(options.quiet ? upper::UpperServer::Announce()
                                                              : app::say);
  };
  const tern::Errc error = app::listen(runtime, options, options.port, make_server);
  if (error != tern::Errc::kOk)
    return fail(absl::AlreadyExistsError(
        fmt::format("port {}: {}; choose another --port", options.port, tern::to_string(error))));
  app::say(fmt::format("listening at port: {}, waiting for connections...",
                       app::listening_at(options, options.port)));
  const absl::Status status = runtime.run();
  if (options.stats) app::print_statistics(runtime);
  return status.ok() ? 0 : fail(status);
}

int run(Options options) {
  options.runtime.log = app::make_log(options);
  auto runtime = app::create_runtime(options);
  if (!runtime.ok()) return fail(runtime.status());
  if (!options.quiet) std::fputs((*runtime)->describe().c_str(), stderr);
  return serve(options, **runtime);
}

}  // namespace

int main(int argc, char** argv) {
  app::prepare_streams();
  const auto parsed = upper::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  return run(std::get<Options>(parsed));
}
