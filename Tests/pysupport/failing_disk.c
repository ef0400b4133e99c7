// SPDX-License-Identifier: Apache-2.0
// A disk that fails on demand, for one process: preloaded, it stands between the program and libc.
//
// FAILING_DISK names a control file; without the file, or while it is empty, everything passes. Each line is a rule
//
//     CALL PATTERN ERRNO SKIP COUNT
//
// CALL is pread, pwrite, sync, truncate or open (for writing). PATTERN is a shell pattern that the file's name, without
// its folder, has to match. The first SKIP such calls pass, the next COUNT (-1: all) fail with ERRNO and do nothing.
// A control file that was replaced by another is read anew, and counting starts again.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct rule {
    char call[16], pattern[64];
    int error;
    long skip, count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[32];
static int rule_count;
static struct stat known;

static void read_rules(const char *path) {
    struct stat now;
    if (stat(path, &now) != 0) {
        rule_count = 0;
        known = (struct stat){0};
        return;
    }
    if (now.st_ino == known.st_ino && now.st_mtim.tv_sec == known.st_mtim.tv_sec
        && now.st_mtim.tv_nsec == known.st_mtim.tv_nsec)
        return;
    known = now;
    rule_count = 0;
    FILE *file = fopen(path, "re");
    if (!file) return;
    struct rule *rule = rules;
    while (rule < rules + 32
           && fscanf(file, "%15s %63s %d %ld %ld", rule->call, rule->pattern, &rule->error, &rule->skip, &rule->count) == 5)
        rule++;
    rule_count = rule - rules;
    fclose(file);
}

// Whether the call is to fail; errno is set then.
static int fails(const char *call, const char *path) {
    const char *control = getenv("FAILING_DISK");
    if (!control || !strncmp(path, control, strlen(control))) return 0;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int saved = errno, error = 0;
    pthread_mutex_lock(&lock);
    read_rules(control);
    for (int i = 0; i < rule_count && !error; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->call, call) || fnmatch(rule->pattern, name, 0)) continue;
        if (rule->skip > 0) rule->skip--;
        else if (rule->count != 0) {
            if (rule->count > 0) rule->count--;
            error = rule->error;
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error ? error : saved;
    return error != 0;
}

static int descriptor_fails(const char *call, int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pread(int fd, void *to, size_t count, off_t at) {
    return descriptor_fails("pread", fd) ? -1 : REAL(pread)(fd, to, count, at);
}
ssize_t pread64(int fd, void *to, size_t count, off64_t at) {
    return descriptor_fails("pread", fd) ? -1 : REAL(pread64)(fd, to, count, at);
}
ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
    return descriptor_fails("pwrite", fd) ? -1 : REAL(pwrite)(fd, from, count, at);
}
ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
    return descriptor_fails("pwrite", fd) ? -1 : REAL(pwrite64)(fd, from, count, at);
}
int fsync(int fd) { return descriptor_fails("sync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return descriptor_fails("sync", fd) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return descriptor_fails("truncate", fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return descriptor_fails("truncate", fd) ? -1 : REAL(ftruncate64)(fd, size); }

int posix_fallocate(int fd, off_t at, off_t size) {
    return descriptor_fails("pwrite", fd) ? errno : REAL(posix_fallocate)(fd, at, size);
}

static int opening_fails(const char *path, int flags) {
    return (flags & (O_WRONLY | O_RDWR | O_CREAT)) && fails("open", path);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return opening_fails(path, flags) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return opening_fails(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}
