// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/linux/sigbus_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace bitnet::os {
namespace {

// Read by a signal handler: plain atomics, no locks. A slot is free while `size` is 0.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::size_t> size{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> lost{false};
};
std::array<Slot, 4096> slots;
struct sigaction previous {};

void pass_on(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) && previous.sa_sigaction) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // Back to the default and return: the access is repeated and ends the process as it would have
    // without us.
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    ::sigaction(SIGBUS, &plain, nullptr);
  }
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Slot& slot : slots) {
    const std::size_t size = slot.size.load(std::memory_order_acquire);
    const std::uintptr_t begin = slot.begin.load(std::memory_order_relaxed);
    if (size == 0 || address < begin || address - begin >= size) continue;
    void* page = reinterpret_cast<void*>(address & ~(kMappingPage - 1));
    const int access =
        slot.writable.load(std::memory_order_relaxed) ? PROT_READ | PROT_WRITE : PROT_READ;
    void* zeros =
        ::mmap(page, kMappingPage, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    slot.lost.store(true, std::memory_order_relaxed);
    return;
  }
  pass_on(signal, info, context);
}

void install() {
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &previous);
}

}  // namespace

int guard_mapping(const void* data, std::size_t size, bool writable) noexcept {
  static std::once_flag once;
  static std::mutex mutex;
  std::call_once(once, install);
  const std::lock_guard lock(mutex);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].size.load(std::memory_order_relaxed) != 0) continue;
    slots[i].writable.store(writable, std::memory_order_relaxed);
    slots[i].lost.store(false, std::memory_order_relaxed);
    slots[i].begin.store(reinterpret_cast<std::uintptr_t>(data), std::memory_order_relaxed);
    slots[i].size.store(size, std::memory_order_release);
    return static_cast<int>(i);
  }
  return -1;
}

void release_mapping(int slot) noexcept {
  if (slot >= 0) slots[static_cast<std::size_t>(slot)].size.store(0, std::memory_order_release);
}

bool mapping_lost(int slot) noexcept {
  return slot >= 0 && slots[static_cast<std::size_t>(slot)].lost.load(std::memory_order_relaxed);
}

}  // namespace bitnet::os
