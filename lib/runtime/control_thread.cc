// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/control_thread.h"

#include <rte_lcore.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace tern::runtime {

ControlThread::ControlThread(const char* name, std::function<void()> body)
    : body_(std::make_unique<std::function<void()>>(std::move(body))) {
  const auto run = [](void* function) -> void* {
    (*static_cast<std::function<void()>*>(function))();
    return nullptr;
  };
  // A std::thread would inherit the main lcore's CPU, which a worker has for itself.
  sigset_t all, old;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &old);
  const int error = ::rte_ctrl_thread_create(&thread_, name, nullptr, run, body_.get());
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (error == 0) return;
  body_ = nullptr;
  throw std::system_error(-error, std::generic_category(), name);
}

ControlThread& ControlThread::operator=(ControlThread&& other) noexcept {
  join();
  body_ = std::move(other.body_);
  thread_ = other.thread_;
  return *this;
}

void ControlThread::join() {
  if (!joinable()) return;
  ::pthread_join(thread_, nullptr);
  body_ = nullptr;
}

}  // namespace tern::runtime
