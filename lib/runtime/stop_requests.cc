// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/stop_requests.h"

namespace tern::runtime {

namespace {

// A signal handler has no argument of its own to carry this.
std::atomic<StopRequests*> signal_target = nullptr;

void on_signal(int) {
  if (StopRequests* requests = signal_target.load(std::memory_order_relaxed)) requests->add();
}

}  // namespace

SignalScope::SignalScope(StopRequests& requests) {
  signal_target.store(&requests);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // the application's writes to its terminal go on
  ::sigaction(SIGINT, &action, &old_int_);
  ::sigaction(SIGTERM, &action, &old_term_);
  ::sigaction(SIGHUP, nullptr, &old_hup_);
  if (old_hup_.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
}

SignalScope::~SignalScope() {
  ::sigaction(SIGINT, &old_int_, nullptr);
  ::sigaction(SIGTERM, &old_term_, nullptr);
  ::sigaction(SIGHUP, &old_hup_, nullptr);
  signal_target.store(nullptr);
}

}  // namespace tern::runtime
