// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace tern {

/// Prints what failed and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace tern

/// What must hold. Stays on in release builds: use where the check is cheap.
#define TERN_ASSERT(expression)        \
  (__builtin_expect(!!(expression), 1) \
       ? void(0)                       \
       : ::tern::assertion_failed(#expression, __FILE__, __LINE__))

/// What must hold, checked in debug builds only: for hot paths and costly checks.
#ifdef NDEBUG
#define TERN_DASSERT(expression) (void)sizeof(!(expression))
#elif defined(TERN_DEBUG_ASSERTS)
#define TERN_DASSERT(expression) TERN_ASSERT(expression)
#else
#define TERN_DASSERT(expression) (void)sizeof(!(expression))
#endif
