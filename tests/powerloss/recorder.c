/* Preloaded into a process, records what reaches an LMDB data file and when it is durable, and makes chosen calls fail.
 *
 * Files are known by how their name ends:
 *   data.mdb  its writes and syncs are appended to $RECORD as events
 *   .ack      what is written to it becomes an event in the same order (what was acknowledged)
 *   .faults   "N COUNT ERRNO" makes COUNT writes or syncs of data.mdb fail, from the N-th from now on; "0 0 0" stops that
 * An event: kind (u32), durable on return (u32), offset (u64), length (u64), then the bytes.
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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 3, ACK = 4, MSYNC = 5, LINK = 6 };
enum { NONE, DATA, DATA_DSYNC, ACKS, FAULTS };
#define FDS 4096

static unsigned char what[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static long countdown, failures;
static int fault;

static void event(uint32_t kind, uint32_t durable, uint64_t offset, const struct iovec *parts, int count) {
  struct { uint32_t kind, durable; uint64_t offset, length; } head = {kind, durable, offset, 0};
  for (int i = 0; i < count; i++) head.length += parts[i].iov_len;
  pthread_mutex_lock(&lock);
  if (record < 0) {
    const char *path = getenv("RECORD");
    record = syscall(SYS_openat, AT_FDCWD, path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  if (syscall(SYS_write, record, &head, sizeof head) != sizeof head) abort();
  for (int i = 0; i < count; i++)
    for (size_t done = 0; done < parts[i].iov_len;) {
      ssize_t n = syscall(SYS_write, record, (char *)parts[i].iov_base + done, parts[i].iov_len - done);
      if (n <= 0) abort();
      done += n;
    }
  pthread_mutex_unlock(&lock);
}

static int kind(int fd) { return fd >= 0 && fd < FDS ? what[fd] : NONE; }
static int data(int fd) { return kind(fd) == DATA || kind(fd) == DATA_DSYNC; }

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

static int opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= FDS) return fd;
  what[fd] = ends(path, "data.mdb") ? (flags & (O_DSYNC | O_SYNC) ? DATA_DSYNC : DATA)
             : ends(path, ".ack") ? ACKS : ends(path, ".faults") ? FAULTS : NONE;
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return opened(syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, flags); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, flags); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(syscall(SYS_openat, at, path, flags, mode), path, flags); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(syscall(SYS_openat, at, path, flags, mode), path, flags); }

int close(int fd) {
  if (fd >= 0 && fd < FDS) what[fd] = NONE;
  return syscall(SYS_close, fd);
}

/* A short write is recorded as far as it went. */
static ssize_t written(int fd, ssize_t done, uint64_t offset, const struct iovec *parts, int count) {
  ssize_t left = done;
  for (int i = 0; i < count && left > 0; i++) {
    struct iovec part = {parts[i].iov_base, parts[i].iov_len < (size_t)left ? parts[i].iov_len : (size_t)left};
    event(WRITE, kind(fd) == DATA_DSYNC, offset, &part, 1);
    offset += part.iov_len;
    left -= part.iov_len;
  }
  return done;
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) {
  struct iovec part = {(void *)buffer, size};
  if (!data(fd)) return syscall(SYS_pwrite64, fd, buffer, size, offset);
  if (refuse()) return -1;
  return written(fd, syscall(SYS_pwrite64, fd, buffer, size, offset), offset, &part, 1);
}
ssize_t pwrite64(int fd, const void *buffer, size_t size, off_t offset) { return pwrite(fd, buffer, size, offset); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  if (data(fd) && refuse()) return -1;
  ssize_t done = syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
  return data(fd) ? written(fd, done, offset, parts, count) : done;
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!data(fd)) return syscall(SYS_writev, fd, parts, (long)count);
  if (refuse()) return -1;
  off_t offset = lseek(fd, 0, SEEK_CUR);
  return written(fd, syscall(SYS_writev, fd, parts, (long)count), offset, parts, count);
}

ssize_t write(int fd, const void *buffer, size_t size) {
  struct iovec part = {(void *)buffer, size};
  if (kind(fd) == ACKS) event(ACK, 1, 0, &part, 1);
  if (kind(fd) == FAULTS) {
    pthread_mutex_lock(&lock);
    if (sscanf(buffer, "%ld %ld %d", &countdown, &failures, &fault) != 3) abort();
    pthread_mutex_unlock(&lock);
  }
  return data(fd) ? writev(fd, &part, 1) : syscall(SYS_write, fd, buffer, size);
}

static int synced(int fd, long number) {
  if (data(fd) && refuse()) return -1;
  int done = syscall(number, fd);
  if (!done && data(fd)) event(SYNC, 1, 0, NULL, 0);
  return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
  int done = syscall(SYS_ftruncate, fd, size);
  if (!done && data(fd)) event(TRUNCATE, 0, size, NULL, 0);
  return done;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* From here on the file has its name. */
int link(const char *from, const char *to) {
  int done = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!done && ends(to, "data.mdb")) event(LINK, 0, 0, NULL, 0);
  return done;
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
  int done = syscall(SYS_linkat, a, from, b, to, flags);
  if (!done && ends(to, "data.mdb")) event(LINK, 0, 0, NULL, 0);
  return done;
}

/* Shared writable maps would escape the record: the suite fails when it meets this event. */
int msync(void *at, size_t size, int flags) {
  event(MSYNC, 0, 0, NULL, 0);
  return syscall(SYS_msync, at, size, flags);
}
