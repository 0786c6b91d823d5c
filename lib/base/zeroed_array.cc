// SPDX-License-Identifier: BSD-3-Clause
#include "base/zeroed_array.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

namespace tern {
namespace {

constexpr std::size_t kHugePage = 2 * 1024 * 1024;

std::size_t mapped_bytes(std::size_t bytes) {
  const std::size_t unit =
      bytes >= kHugePage ? kHugePage : static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
}

std::byte* map(std::size_t bytes) {
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(start);
}

}  // namespace

void* map_zeroed(std::size_t bytes) {
  const std::size_t wanted = mapped_bytes(bytes);
  if (bytes < kHugePage) return map(wanted);
  // mmap aligns to a small page only: map one huge page more, and give the two ends back.
  std::byte* start = map(wanted + kHugePage);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) % kHugePage;
  if (before > 0) ::munmap(start, before);
  ::munmap(start + before + wanted, kHugePage - before);
  ::madvise(start + before, wanted, MADV_HUGEPAGE);  // a hint: a kernel without it is fine
  return start + before;
}

void unmap_zeroed(void* start, std::size_t bytes) { ::munmap(start, mapped_bytes(bytes)); }

}  // namespace tern
