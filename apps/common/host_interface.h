// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include <string>

#include "tern/address.h"

namespace app {

/// Gives this host's kernel its address at its end of a tap device, brings the end up, and lets the
/// kernel forward what comes out of it, so that two programs on two taps reach each other through
/// this host as through a router. IPv6 is turned off there: its solicitations would only clutter
/// the wire. All of it goes away with the device.
absl::Status configure_host_interface(const std::string& tap, const tern::Ipv4Prefix& address);

}  // namespace app
