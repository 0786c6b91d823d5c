// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tern/frame_text.h"

namespace tern::io {

using tern::format_frame;
using tern::RelativeFormatter;

}  // namespace tern::io
