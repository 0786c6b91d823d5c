// SPDX-License-Identifier: BSD-3-Clause
// Tern: everything that a service needs to embed the stack.
#pragma once

#include "tern/address.h"
#include "tern/config.h"
#include "tern/connection.h"
#include "tern/handler.h"
#include "tern/neighbour.h"
#include "tern/port.h"
#include "tern/result.h"
#include "tern/stack.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"
