// SPDX-License-Identifier: BSD-3-Clause
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace tern {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace tern
