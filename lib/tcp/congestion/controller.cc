// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/congestion/controller.h"

namespace tern {

std::string_view to_string(CongestionAlgorithm algorithm) {
  switch (algorithm) {
    case CongestionAlgorithm::kNewReno:
      return "reno";
    case CongestionAlgorithm::kCubic:
      return "cubic";
  }
  return "?";
}

namespace tcp {

void CongestionController::start(CongestionAlgorithm algorithm, std::uint32_t mss_bytes,
                                 Instant /*now*/) {
  algorithm_ = algorithm;
  visit(*this, [&](auto& a) { a.start(mss_bytes); });
}

void CongestionController::on_ack(const AckEvent& event) {
  visit(*this, [&](auto& a) { a.on_ack(event); });
}

void CongestionController::on_loss(const LossEvent& event) {
  visit(*this, [&](auto& a) { a.on_loss(event); });
}

void CongestionController::on_duplicate_ack() {
  visit(*this, [](auto& a) { a.on_duplicate_ack(); });
}

void CongestionController::on_partial_ack(std::uint32_t bytes_acked) {
  visit(*this, [&](auto& a) { a.on_partial_ack(bytes_acked); });
}

void CongestionController::on_recovery_exit(std::uint32_t flight_bytes) {
  visit(*this, [&](auto& a) { a.on_recovery_exit(flight_bytes); });
}

void CongestionController::set_recovery_window(std::uint32_t bytes) {
  visit(*this, [&](auto& a) { a.set_recovery_window(bytes); });
}

void CongestionController::end_recovery() {
  visit(*this, [](auto& a) { a.end_recovery(); });
}

void CongestionController::raise_ssthresh(std::uint32_t bytes) {
  visit(*this, [=](auto& a) { a.raise_ssthresh(bytes); });
}

void CongestionController::on_rto(std::uint32_t flight_bytes, bool first_timeout_of_this_data) {
  visit(*this, [&](auto& a) { a.on_rto(flight_bytes, first_timeout_of_this_data); });
}

void CongestionController::on_syn_losses() {
  visit(*this, [](auto& a) { a.on_syn_losses(); });
}

void CongestionController::on_idle_restart() {
  visit(*this, [](auto& a) { a.on_idle_restart(); });
}

void CongestionController::set_mss(std::uint32_t mss_bytes) {
  visit(*this, [&](auto& a) { a.set_mss(mss_bytes); });
}

}  // namespace tcp
}  // namespace tern
