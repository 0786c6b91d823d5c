// SPDX-License-Identifier: BSD-3-Clause
#include "tern/result.h"

namespace tern {

std::string_view to_string(Errc error) {
  switch (error) {
    case Errc::kOk:
      return "ok";
    case Errc::kStaleHandle:
      return "stale handle";
    case Errc::kWrongState:
      return "wrong state";
    case Errc::kQueueFull:
      return "queue full";
    case Errc::kNoBuffers:
      return "no buffers";
    case Errc::kNoConnections:
      return "no connections";
    case Errc::kAddressInUse:
      return "address in use";
    case Errc::kNoPorts:
      return "no ports";
    case Errc::kInvalidArgument:
      return "invalid argument";
    case Errc::kUnreachable:
      return "unreachable";
  }
  return "unknown error";  // a byte that is none of the enumerators
}

}  // namespace tern
