// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include <malloc.h>
#include <sys/prctl.h>

/// Swift's Glibc module leaves malloc.h out.
static inline int agent_limit_arenas(int count) { return mallopt(M_ARENA_MAX, count); }

/// Names the calling thread, in at most 15 bytes: prctl(2) is variadic.
static inline void agent_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }
/// Gives free memory back to the system, and has large blocks go back as soon as they are free: mallopt(3).
static inline void agent_trim_heap(void) { malloc_trim(0); }
static inline int agent_map_blocks(int bytes) {
    return mallopt(M_MMAP_THRESHOLD, bytes) && mallopt(M_TRIM_THRESHOLD, 2 * bytes);
}
