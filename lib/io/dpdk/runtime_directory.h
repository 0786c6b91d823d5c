// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <string>

namespace tern::io {

/// DPDK keeps a directory for each file prefix, /var/run/dpdk/PREFIX, and removes none of them:
/// these do, and remove nothing that another process may use. Errors are ignored: a directory too
/// many does no harm. Thread rule: any thread.

/// Removes what EAL has left in `directory`, when this process is done with it. `is_own`: its
/// prefix names this process, so all of it is ours. Else it may be another's too: then only if no
/// other process holds EAL's lock on the configuration in it, or if it is empty.
void remove_runtime_directory(const std::filesystem::path& directory, bool is_own);

/// Removes `directory` when the process exits, if it is empty then. For one that was not ours
/// alone: DPDK unlinks its telemetry socket as late as that, and what it was in remains. Call it
/// before rte_eal_init(), as exit() runs its functions in the opposite order, and name the
/// directory once EAL has said it.
void remove_empty_directory_at_exit();
void name_directory_of_exit(const std::filesystem::path& directory);

/// Removes what Tern's processes have left beside `own`, this process's directory, that could not
/// clean up, as after SIGKILL: directories "tern-PID" whose process is gone, whose sockets nobody
/// listens on, and whose configuration nobody has locked. `own` is left alone whatever its name is.
void sweep_runtime_directories(const std::filesystem::path& own);

}  // namespace tern::io
