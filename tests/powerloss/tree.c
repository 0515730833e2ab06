/* Preloaded into a process, records what it does to the files below $RECORD_ROOT, and makes chosen calls fail.
 *
 * Of files elsewhere two are known by how their name ends:
 *   .ack      what is written to it becomes an event in the same order (what was acknowledged)
 *   .faults   "N COUNT ERRNO" makes COUNT writes, syncs or renames fail, from the N-th from now on; "0 0 0" stops that
 * A write that is durable when it returns (O_DSYNC) is followed by an event KEPT.
 * An event: kind (u32), number of the opened file (u32), offset (u64), lengths of two paths (u32 each) and of the data
 * (u64), then all three. Paths are relative to the root.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, CREATE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, ACK, KEPT };
enum { NONE, INSIDE, ACKS, FAULTS };
#define FDS 4096

static unsigned char what[FDS], at_once[FDS]; /* at_once: opened so that a write returns when it is durable */
static uint32_t number[FDS], opened_files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static long countdown, failures;
static int fault;

static void all(const void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = syscall(SYS_write, record, (const char *)data + done, size - done);
    if (n <= 0) abort();
    done += n;
  }
}

static void event(uint32_t kind, uint32_t file, uint64_t offset, const char *a, const char *b, const void *data, size_t size) {
  struct { uint32_t kind, file; uint64_t offset; uint32_t a, b; uint64_t size; } head = {kind, file, offset, strlen(a), strlen(b), size};
  pthread_mutex_lock(&lock);
  if (record < 0) {
    const char *path = getenv("RECORD");
    record = syscall(SYS_openat, AT_FDCWD, path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  all(&head, sizeof head);
  all(a, head.a);
  all(b, head.b);
  all(data, size);
  pthread_mutex_unlock(&lock);
}

/* The path below the root, or NULL. */
static const char *inside(const char *path) {
  const char *root = getenv("RECORD_ROOT");
  size_t length = root ? strlen(root) : 0;
  if (!length || strncmp(path, root, length)) return NULL;
  return path[length] == '/' ? path + length + 1 : path[length] ? NULL : path + length;
}

/* Whether this call shall fail; sets errno. */
static int refuse(void) {
  int now = 0;
  pthread_mutex_lock(&lock);
  if (countdown > 0 ? !--countdown : failures > 0) {
    if (failures-- > 0) now = fault;
  }
  pthread_mutex_unlock(&lock);
  if (now) errno = now;
  return now;
}

static int ends(const char *path, const char *end) {
  size_t a = strlen(path), b = strlen(end);
  return a >= b && !strcmp(path + a - b, end);
}

static int opening(int at, const char *path, int flags, mode_t mode) {
  const char *name = inside(path);
  struct stat status;
  int new = name && (flags & O_CREAT) && syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0);
  int fd = syscall(SYS_openat, at, path, flags, mode);
  if (fd < 0 || fd >= FDS) return fd;
  at_once[fd] = (flags & (O_DSYNC | O_SYNC)) != 0;
  what[fd] = name ? INSIDE : ends(path, ".ack") ? ACKS : ends(path, ".faults") ? FAULTS : NONE;
  if (name && ((flags & (O_WRONLY | O_RDWR)) || (flags & O_DIRECTORY) || new)) {
    number[fd] = __sync_add_and_fetch(&opened_files, 1);
    event(new ? CREATE : OPEN, number[fd], 0, name, "", "", 0);
    if (flags & O_TRUNC) event(TRUNCATE, number[fd], 0, "", "", "", 0);
  } else if (name) {
    number[fd] = __sync_add_and_fetch(&opened_files, 1); /* a file opened for reading may be synced */
    event(OPEN, number[fd], 0, name, "", "", 0);
  }
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return opening(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opening(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opening(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opening(at, path, flags, mode); }

int close(int fd) {
  if (fd >= 0 && fd < FDS) what[fd] = NONE;
  return syscall(SYS_close, fd);
}

static int kind(int fd) { return fd >= 0 && fd < FDS ? what[fd] : NONE; }

static ssize_t written(int fd, ssize_t done, off_t offset, const struct iovec *parts, int count) {
  ssize_t left = done;
  for (int i = 0; i < count && left > 0; i++) {
    size_t size = parts[i].iov_len < (size_t)left ? parts[i].iov_len : (size_t)left;
    event(WRITE, number[fd], offset, "", "", parts[i].iov_base, size);
    if (at_once[fd]) event(KEPT, number[fd], 0, "", "", "", 0);
    offset += size;
    left -= size;
  }
  return done;
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) {
  struct iovec part = {(void *)buffer, size};
  if (kind(fd) != INSIDE) return syscall(SYS_pwrite64, fd, buffer, size, offset);
  if (refuse()) return -1;
  return written(fd, syscall(SYS_pwrite64, fd, buffer, size, offset), offset, &part, 1);
}
ssize_t pwrite64(int fd, const void *buffer, size_t size, off_t offset) { return pwrite(fd, buffer, size, offset); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  if (kind(fd) == INSIDE && refuse()) return -1;
  ssize_t done = syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
  return kind(fd) == INSIDE ? written(fd, done, offset, parts, count) : done;
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (kind(fd) != INSIDE) return syscall(SYS_writev, fd, parts, (long)count);
  if (refuse()) return -1;
  off_t offset = lseek(fd, 0, SEEK_CUR);
  return written(fd, syscall(SYS_writev, fd, parts, (long)count), offset, parts, count);
}

ssize_t write(int fd, const void *buffer, size_t size) {
  struct iovec part = {(void *)buffer, size};
  if (kind(fd) == ACKS) event(ACK, 0, 0, "", "", buffer, size);
  if (kind(fd) == FAULTS) {
    pthread_mutex_lock(&lock);
    if (sscanf(buffer, "%ld %ld %d", &countdown, &failures, &fault) != 3) abort();
    pthread_mutex_unlock(&lock);
  }
  return kind(fd) == INSIDE ? writev(fd, &part, 1) : syscall(SYS_write, fd, buffer, size);
}

static int synced(int fd, long call) {
  if (kind(fd) == INSIDE && refuse()) return -1;
  int done = syscall(call, fd);
  if (!done && kind(fd) == INSIDE) event(SYNC, number[fd], 0, "", "", "", 0);
  return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
  int done = syscall(SYS_ftruncate, fd, size);
  if (!done && kind(fd) == INSIDE) event(TRUNCATE, number[fd], size, "", "", "", 0);
  return done;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

#define NAMES(kind, call, ...) \
  const char *name = inside(path); \
  int done = syscall(call, __VA_ARGS__); \
  if (!done && name) event(kind, 0, 0, name, "", "", 0); \
  return done;

int mkdir(const char *path, mode_t mode) { NAMES(MKDIR, SYS_mkdir, path, mode) }
int rmdir(const char *path) { NAMES(RMDIR, SYS_rmdir, path) }
int unlink(const char *path) { NAMES(UNLINK, SYS_unlink, path) }

int unlinkat(int at, const char *path, int flags) {
  char whole[4096] = "", link[64];
  if (at != AT_FDCWD && path[0] != '/') { /* as whoever removes a tree goes by folders it has opened */
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, whole, sizeof whole / 2);
    if (size > 0) snprintf(whole + size, sizeof whole - size, "/%s", path);
  }
  const char *name = inside(whole[0] ? whole : path);
  char kept[4096] = "";
  if (name) snprintf(kept, sizeof kept, "%s", name);
  int done = syscall(SYS_unlinkat, at, path, flags);
  if (!done && kept[0]) event(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, kept, "", "", 0);
  return done;
}

int rename(const char *from, const char *to) {
  const char *a = inside(from), *b = inside(to);
  if (a && b && refuse()) return -1;
  int done = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!done && a && b) event(RENAME, 0, 0, a, b, "", 0);
  return done;
}

int link(const char *from, const char *to) {
  const char *a = inside(from), *b = inside(to);
  int done = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!done && a && b) event(LINK, 0, 0, a, b, "", 0);
  return done;
}
