// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace tern::io {

/// Keeps what the process writes to stdout and stderr between construction and finish(). EAL prints
/// two pages of usage for a mistyped argument and getopt names the culprit on stderr only: both are
/// caught here, so that the operator gets one sentence. Process-wide: for bring-up, one thread.
class OutputCapture {
 public:
  OutputCapture();
  ~OutputCapture();  // restores the streams, if finish() has not
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  /// Restores stdout and stderr and returns what was written meanwhile.
  std::string finish();

 private:
  void restore();

  int file_ = -1;  // -1: nothing is captured (no memory file, or restored)
  int saved_stdout_ = -1;
  int saved_stderr_ = -1;
};

}  // namespace tern::io
