// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>

namespace tern::runtime {

/// A thread beside the workers: on CPUs that are no lcore's, if the process may use such, and deaf
/// to signals, of which net_tap sends one for each packet. Joined by its destructor.
class ControlThread {
 public:
  ControlThread() = default;  ///< no thread
  /// Throws std::system_error when there can be no thread. `name`: at most 15 characters.
  ControlThread(const char* name, std::function<void()> body);
  ControlThread(ControlThread&& other) noexcept = default;
  ControlThread& operator=(ControlThread&& other) noexcept;
  ~ControlThread() { join(); }

  bool joinable() const { return body_ != nullptr; }
  /// Waits for its end; nothing if there is no thread.
  void join();

 private:
  std::unique_ptr<std::function<void()>> body_;  // while there is a thread
  pthread_t thread_{};
};

}  // namespace tern::runtime
