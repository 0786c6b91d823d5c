// SPDX-License-Identifier: BSD-3-Clause
#include "conversation.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace client {

Conversation::Conversation() : end_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Conversation::~Conversation() {
  if (end_fd_ >= 0) ::close(end_fd_);
}

bool Conversation::wait_until_established(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return established_ || over_; });
}

bool Conversation::send(std::span<const std::byte> bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || outgoing_.size() < kBound; });
  if (over_) return false;
  outgoing_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  sent_ += bytes.size();
  lock.unlock();
  tell_stack_();
  return true;
}

void Conversation::finish_sending() {
  {
    const std::lock_guard lock(mutex_);
    finished_sending_ = true;
  }
  tell_stack_();
}

std::string Conversation::receive(std::size_t at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !incoming_.empty() || peer_finished_ || over_; });
  // The stack stopped reading when there was no room, so it wants to hear of some.
  const bool was_full = incoming_.size() >= kBound;
  std::string bytes = incoming_.substr(0, at_most);
  incoming_.erase(0, bytes.size());
  lock.unlock();
  if (was_full) tell_stack_();
  return bytes;
}

void Conversation::give_up() {
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
  }
  tell_stack_();
}

void Conversation::wait_until_over() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_; });
}

bool Conversation::over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

bool Conversation::established() const {
  const std::lock_guard lock(mutex_);
  return established_;
}

std::uint64_t Conversation::bytes_sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

std::uint64_t Conversation::bytes_received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::optional<tern::CloseReason> Conversation::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

bool Conversation::given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

void Conversation::set_established() {
  const std::lock_guard lock(mutex_);
  established_ = true;
  changed_.notify_all();
}

bool Conversation::drain_outgoing(
    const std::function<std::size_t(std::span<const std::byte>)>& take) {
  const std::lock_guard lock(mutex_);
  if (!outgoing_.empty()) {
    outgoing_.erase(0, take(std::as_bytes(std::span(outgoing_))));
    changed_.notify_all();
  }
  return finished_sending_ && outgoing_.empty();
}

std::size_t Conversation::room() const {
  const std::lock_guard lock(mutex_);
  return incoming_.size() < kBound ? kBound - incoming_.size() : 0;
}

void Conversation::put_received(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  incoming_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  received_ += bytes.size();
  changed_.notify_all();
}

void Conversation::set_peer_finished() {
  const std::lock_guard lock(mutex_);
  peer_finished_ = true;
  raise_end();
}

void Conversation::set_over(std::optional<tern::CloseReason> reason) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;
  reason_ = reason;
  raise_end();
}

void Conversation::raise_end() {
  ::eventfd_write(end_fd_, 1);
  changed_.notify_all();
}

}  // namespace client
