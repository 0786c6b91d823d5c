// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

#include "tern/address.h"

namespace top {

/// Answers every HTTP request on this endpoint with the text that `make_text` returns, one after
/// the other, until `stop` is true. For a scraper on a trusted network: no TLS, no authentication.
/// A client that dawdles is cut off after some seconds.
absl::Status serve_text(const tern::Endpoint& endpoint,
                        const std::function<std::string()>& make_text,
                        const std::function<bool()>& stop);

}  // namespace top
