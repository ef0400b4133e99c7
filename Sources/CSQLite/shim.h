// SPDX-License-Identifier: Apache-2.0
// What Swift cannot import from sqlite3.h: variadic functions and casting macros; two headers of Linux that Swift's
// Glibc module leaves out, for what the queue asks about the disk and the clock under it; and one instruction.
#pragma once
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timex.h>
#include <sys/vfs.h>

/// SQLITE_STATIC: the bytes outlive the statement's step; sqlite makes no copy.
static inline int agent_sqlite3_bind_blob_static(sqlite3_stmt *s, int i, const void *p, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, p, n, SQLITE_STATIC);
}
static inline int agent_sqlite3_bind_text_static(sqlite3_stmt *s, int i, const char *p, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, p, n, SQLITE_STATIC, SQLITE_UTF8);
}
static inline int agent_sqlite3_bind_text_copy(sqlite3_stmt *s, int i, const char *p, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, p, n, SQLITE_TRANSIENT, SQLITE_UTF8);
}
static inline int agent_sqlite3_db_config_int(sqlite3 *db, int op, int value) {
    return sqlite3_db_config(db, op, value, (int *)0);
}

/// Counts no memory, which costs a lock an allocation. Has to come before anything else of the library.
static inline int agent_sqlite3_config_no_memory_status(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/// The type of the file system of `path`, a number of statfs(2); 0 where it cannot be told.
static inline unsigned int agent_file_system_type(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (unsigned int)status.f_type : 0;
}

/// Whether something disciplines the wall clock: adjtimex(2) says TIME_ERROR while nothing does.
static inline int agent_clock_is_synchronized(void) {
    struct timex state = {0};
    int result = adjtimex(&state);
    return result >= 0 && result != TIME_ERROR;
}

#if defined(__x86_64__)
/// Whether the processor has an instruction for CRC-32C.
static inline int agent_has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }

/// CRC-32C of `count` bytes, continued from `crc`, by the instruction that ``agent_has_crc32c`` asks for.
__attribute__((target("sse4.2"))) static inline uint32_t agent_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = (const unsigned char *)bytes;
    uint64_t state = crc;
    for (; count >= 8; count -= 8, p += 8) {
        uint64_t word;
        __builtin_memcpy(&word, p, 8);
        state = __builtin_ia32_crc32di(state, word);
    }
    uint32_t rest = (uint32_t)state;
    for (; count > 0; count--, p++) rest = __builtin_ia32_crc32qi(rest, *p);
    return rest;
}
#else
static inline int agent_has_crc32c(void) { return 0; }
static inline uint32_t agent_crc32c(uint32_t crc, const void *bytes, size_t count) {
    (void)bytes;
    (void)count;
    return crc;
}
#endif
