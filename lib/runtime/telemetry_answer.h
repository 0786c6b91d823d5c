// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <rte_telemetry.h>

#include <cstdint>
#include <string>

#include "tern/stack.h"

namespace tern::runtime {

/// Builds a JSON object of an answer to DPDK's telemetry. What does not fit is left out: who fills
/// it keeps to pages.
class AnswerObject {
 public:
  explicit AnswerObject(rte_tel_data* data) : data_(data) { rte_tel_data_start_dict(data); }

  void add(const std::string& name, std::uint64_t value) {
    rte_tel_data_add_dict_u64(data_, name.c_str(), value);
  }
  void add(const std::string& name, const std::string& value) {
    rte_tel_data_add_dict_string(data_, name.c_str(), value.c_str());
  }
  /// An object within this one, filled in by `fill(AnswerObject&)`. One level deep: DPDK knows no
  /// more.
  template <class F>
  void add_object(const std::string& name, F&& fill) {
    rte_tel_data* inner = rte_tel_data_alloc();
    if (inner == nullptr) return;
    AnswerObject object(inner);
    fill(object);
    if (rte_tel_data_add_dict_container(data_, name.c_str(), inner, 0) != 0)
      rte_tel_data_free(inner);
  }

 private:
  rte_tel_data* data_;
};

void add_config(const StackConfig& config, AnswerObject& out);
void add_usage(const StackUsage& usage, AnswerObject& out);
/// `now`: by the clock of the stack that told of the flood.
void add_flood(const SynFlood& flood, Instant now, AnswerObject& out);
/// `full`: with all that is known, for tern-ss -i.
void add_socket(const ConnectionInfo& socket, bool full, AnswerObject& out);
void add_neighbour(const NeighbourInfo& neighbour, AnswerObject& out);

}  // namespace tern::runtime
