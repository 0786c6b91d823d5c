// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "tern/connection.h"

namespace client {

/// What passes between the threads of the terminal and the stack's thread: bytes to send, bytes
/// received, and how the connection stands. Both directions are bounded; whoever waits is woken by
/// the other side, and by the end of the connection.
class Conversation {
 public:
  static constexpr std::size_t kBound = 256 * 1024;  // bytes in either direction

  Conversation();
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  /// Has the stack's thread look here. Set before the threads begin.
  void on_change(std::function<void()> tell_stack) { tell_stack_ = std::move(tell_stack); }

  // --- the terminal's threads; they may wait ---

  /// False: `patience` passed, and it is neither established nor over.
  bool wait_until_established(std::chrono::milliseconds patience);
  /// Waits for room. False: the connection is over, nothing was taken.
  bool send(std::span<const std::byte> bytes);
  /// No more will be sent: the stack closes this direction when all has gone.
  void finish_sending();
  /// Waits for bytes, up to `at_most` of them. Empty: the peer has finished or the connection is
  /// over.
  std::string receive(std::size_t at_most);
  /// Nobody wants what is still to come: the stack aborts the connection.
  void give_up();
  void wait_until_over();

  // --- any thread ---

  bool over() const;
  bool established() const;
  std::uint64_t bytes_sent() const;      ///< taken by send()
  std::uint64_t bytes_received() const;  ///< taken from the stack
  /// Why the connection ended; nothing while it lasts, or when the program stopped first.
  std::optional<tern::CloseReason> reason() const;
  /// Becomes readable, and stays so, when the peer has finished or the connection is over.
  int end_fd() const { return end_fd_; }

  // --- the stack's thread; never waits for more than the lock ---

  void set_established();
  /// Offers what is to be sent to `take`, which answers how much it took. True: all has gone, and
  /// there will be no more.
  bool drain_outgoing(const std::function<std::size_t(std::span<const std::byte>)>& take);
  std::size_t room() const;  ///< for received bytes
  void put_received(std::span<const std::byte> bytes);
  void set_peer_finished();
  void set_over(std::optional<tern::CloseReason> reason);
  bool given_up() const;

 private:
  void raise_end();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string outgoing_, incoming_;
  bool established_ = false, finished_sending_ = false, peer_finished_ = false, over_ = false;
  bool given_up_ = false;
  std::uint64_t sent_ = 0, received_ = 0;
  std::optional<tern::CloseReason> reason_;
  int end_fd_ = -1;
  std::function<void()> tell_stack_;
};

}  // namespace client
