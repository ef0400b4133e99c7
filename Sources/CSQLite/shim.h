// SPDX-License-Identifier: Apache-2.0
// What Swift cannot import from sqlite3.h: variadic functions and casting macros; and two headers of Linux that
// Swift's Glibc module leaves out, for what the queue asks about the disk and the clock under it.
#pragma once
#include <sqlite3.h>
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
