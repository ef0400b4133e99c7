// SPDX-License-Identifier: Apache-2.0

// ThreadSanitizer sees how a Swift Mutex is locked only where nobody else holds it: that code is inlined. Whoever has to
// wait does so in the runtime's library, which is not instrumented, and what another thread did under the same lock then
// looks like a race. Under the sanitizer, and only there, waiting is done here instead, where it is seen.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32): the word is 0, or the holder's thread id. Who unlocks finds its own id
// there, as it would had nobody waited, and need wake nobody.
__attribute__((swiftcall)) void lock_slow(uint32_t self, __attribute__((swift_context)) _Atomic(uint32_t) *word)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void lock_slow(uint32_t self, __attribute__((swift_context)) _Atomic(uint32_t) *word) {
    for (;;) {
        uint32_t free = 0;
        if (atomic_compare_exchange_weak_explicit(word, &free, self, memory_order_acquire, memory_order_relaxed)) return;
        sched_yield();
    }
}

#endif
#endif
