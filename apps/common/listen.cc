// SPDX-License-Identifier: BSD-3-Clause
#include "common/listen.h"

namespace app {

tern::Errc listen(tern::Runtime& runtime, const CommonOptions& options, std::uint16_t port,
                  const tern::Runtime::HandlerFactory& factory) {
  const tern::Errc error = runtime.listen({.address = tern::Ipv4Address(), .port = port}, factory);
  if (error != tern::Errc::kOk || !options.runtime.stack.ip6) return error;
  return runtime.listen({.address = tern::Ipv6Address(), .port = port}, factory);
}

std::string listening_at(const CommonOptions& options, std::uint16_t port) {
  std::string where = to_string(tern::Endpoint{tern::Ipv4Address(), port});
  if (options.runtime.stack.ip6)
    where += " and " + to_string(tern::Endpoint{tern::Ipv6Address(), port});
  return where;
}

}  // namespace app
