// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/rx_interrupt.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>

#include <cerrno>

namespace tern::io {

bool RxInterrupt::attach() {
  return rte_eth_dev_rx_intr_ctl_q(port_id_, queue_, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD,
                                   nullptr) == 0;
}

bool RxInterrupt::arm() {
  if (state_ == State::kUnknown) state_ = attach() ? State::kWorks : State::kMissing;
  if (state_ == State::kMissing) return false;
  // A driver without such a switch (tap) has a file that is readable while frames wait.
  const int error = rte_eth_dev_rx_intr_enable(port_id_, queue_);
  if (error != 0 && error != -ENOTSUP) state_ = State::kMissing;
  return state_ == State::kWorks;
}

void RxInterrupt::sleep(Duration limit) {
  constexpr Duration kMillisecond = std::chrono::milliseconds(1);
  rte_epoll_event event;
  const auto ms = (limit + kMillisecond - Duration(1)) / kMillisecond;
  rte_epoll_wait_interruptible(RTE_EPOLL_PER_THREAD, &event, 1, static_cast<int>(ms));
}

void RxInterrupt::disarm() { rte_eth_dev_rx_intr_disable(port_id_, queue_); }

}  // namespace tern::io
