// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

namespace tern {

/// What a call on the data path can answer. One byte, no allocation, no exception. Bring-up and
/// other control-plane calls return absl::Status, which carries a sentence.
enum class Errc : std::uint8_t {
  kOk,
  kStaleHandle,    ///< the connection is gone: its handle's generation has passed
  kWrongState,     ///< this state does not allow the call (e.g. sending after shutdown_send)
  kQueueFull,      ///< the send queue has no room; on_writable follows when it has
  kNoBuffers,      ///< a pool is dry; on_writable follows where the call was a send
  kNoConnections,  ///< max_connections are in use
  kAddressInUse,   ///< the port, or the whole four-tuple, is taken
  kNoPorts,        ///< no source port is free towards this destination
  kInvalidArgument,
  kUnreachable,  ///< no route: not on-link, and no gateway is set
};

/// The name of an error as an operator reads it, e.g. "queue full".
std::string_view to_string(Errc error);

/// A value or an Errc (std::expected is not in C++20).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Errc error) : state_(std::in_place_index<1>, error) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  Errc error() const { return ok() ? Errc::kOk : *std::get_if<1>(&state_); }

  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

 private:
  std::variant<T, Errc> state_;
};

}  // namespace tern
