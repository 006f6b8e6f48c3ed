// Preloaded into a process: counts the calls that change files below one folder, writes them down, and
// kills the process (SIGKILL) at a chosen one, before the call or, for a write, in the middle of it.
//
//   fatal_begin(folder, call, halves, journal)   call 0: none is fatal; halves: die with half a write done
//   fatal_count()                                calls so far
//
// The journal has one line a call that was done: C path (created), T path (emptied), W path (written),
// S path bytes (synced), M path (folder made), R from <tab> to (renamed), U path (removed).
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static long calls, fatal_call;
static int halves, journal = -1;

void fatal_begin(const char *below, long call, int half_writes, int journal_file) {
    snprintf(folder, sizeof folder, "%s/", below);
    calls = 0;
    fatal_call = call;
    halves = half_writes;
    journal = journal_file;
}

long fatal_count(void) { return calls; }

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int inside(const char *path) { return folder[0] && !strncmp(path, folder, strlen(folder)); }

static int is_fatal(const char *path) { return inside(path) && ++calls == fatal_call; }

static void done(char kind, const char *path, const char *more) {
    char line[2 * PATH_MAX + 8];
    if (journal < 0 || !inside(path)) return;
    int size = snprintf(line, sizeof line, "%c\t%s\t%s\n", kind, path, more);
    if (syscall(SYS_write, journal, line, (size_t)size) != size) die();
}

static void path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
}

static void path_at(int place, const char *name, char *path) {
    char start[PATH_MAX] = "";
    if (name[0] != '/' && place != AT_FDCWD) path_of(place, start);
    snprintf(path, PATH_MAX, start[0] ? "%s/%s" : "%s%s", start, name);
}

static int open_at(int place, const char *name, int flags, int mode) {
    char path[PATH_MAX];
    int changes = flags & (O_CREAT | O_TRUNC);
    if (!changes) return (int)syscall(SYS_openat, place, name, flags, mode);
    path_at(place, name, path);
    int there = syscall(SYS_faccessat, place, name, F_OK) == 0;
    if (is_fatal(path)) die();
    int file = (int)syscall(SYS_openat, place, name, flags, mode);
    if (file >= 0 && !there) done('C', path, "");
    if (file >= 0 && there && (flags & O_TRUNC)) done('T', path, "");
    return file;
}

#define OPEN(type, name, ...)                                   \
    int name(__VA_ARGS__ const char *path, int flags, ...) {    \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; \
        va_end(rest);                                           \
        return open_at(type, path, flags, mode);                \
    }
#define PLACE int place,
OPEN(AT_FDCWD, open, )
OPEN(AT_FDCWD, open64, )
OPEN(place, openat, PLACE)
OPEN(place, openat64, PLACE)

ssize_t write(int file, const void *bytes, size_t size) {
    char path[PATH_MAX];
    path_of(file, path);
    if (is_fatal(path)) {
        if (halves && size > 1) {
            syscall(SYS_write, file, bytes, size / 2);
            done('W', path, "");
        }
        die();
    }
    ssize_t written = syscall(SYS_write, file, bytes, size);
    if (written > 0) done('W', path, "");
    return written;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = write(file, parts[i].iov_base, parts[i].iov_len);
        if (written < 0) return total ? total : written;
        total += written;
        if ((size_t)written < parts[i].iov_len) break;
    }
    return total;
}

int fsync(int file) {
    char path[PATH_MAX], size[32];
    struct stat found;
    path_of(file, path);
    if (is_fatal(path)) die();
    int answer = (int)syscall(SYS_fsync, file);
    if (!answer && !fstat(file, &found)) {
        snprintf(size, sizeof size, "%lld", (long long)found.st_size);
        done('S', path, size);
    }
    return answer;
}

int fdatasync(int file) { return fsync(file); }

int ftruncate64(int file, off_t size) {
    char path[PATH_MAX];
    path_of(file, path);
    if (is_fatal(path)) die();
    int answer = (int)syscall(SYS_ftruncate, file, size);
    if (!answer) done('W', path, "");
    return answer;
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int mkdirat(int place, const char *name, mode_t mode) {
    char path[PATH_MAX];
    path_at(place, name, path);
    if (is_fatal(path)) die();
    int answer = (int)syscall(SYS_mkdirat, place, name, mode);
    if (!answer) done('M', path, "");
    return answer;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int unlinkat(int place, const char *name, int flags) {
    char path[PATH_MAX];
    path_at(place, name, path);
    if (is_fatal(path)) die();
    int answer = (int)syscall(SYS_unlinkat, place, name, flags);
    if (!answer) done('U', path, "");
    return answer;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int renameat(int from, const char *name, int to, const char *new_name) {
    char path[PATH_MAX], new_path[PATH_MAX];
    path_at(from, name, path);
    path_at(to, new_name, new_path);
    if (is_fatal(path)) die();
    int answer = (int)syscall(SYS_renameat2, from, name, to, new_name, 0);
    if (!answer) done('R', path, new_path);
    return answer;
}
int rename(const char *name, const char *new_name) { return renameat(AT_FDCWD, name, AT_FDCWD, new_name); }
