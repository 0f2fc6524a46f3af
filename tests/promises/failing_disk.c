/* Preloaded into a server by tests/promises/failing_disk.py: while the file named by FAILING_DISK holds a number, every
   call that would change a file under FAILING_FOLDER fails with that errno, as on a broken or read-only disk.

   What succeeded before stays; reading goes on. Without the file, every call is the system's own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int chosen_errno(void) {
  const char *control = getenv("FAILING_DISK");
  int saved = errno, file, found = 0;
  char text[16] = "";
  if (control == NULL) return 0;
  file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
  if (file >= 0) {
    if (syscall(SYS_read, file, text, sizeof text - 1) > 0) found = atoi(text);
    syscall(SYS_close, file);
  }
  errno = saved;
  return found;
}

static int is_under(const char *path) {
  const char *folder = getenv("FAILING_FOLDER");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int fails(int file) {
  char link[64], path[PATH_MAX];
  int saved = errno, number = chosen_errno();
  ssize_t length;
  if (number == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  length = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return 0;
  path[length] = 0;
  if (!is_under(path)) return 0;
  errno = number;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *data, size_t size) { return fails(file) ? -1 : REAL(write)(file, data, size); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
  return fails(file) ? -1 : REAL(pwrite)(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
  return fails(file) ? -1 : REAL(pwrite64)(file, data, size, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  return fails(file) ? -1 : REAL(writev)(file, parts, count);
}
int fsync(int file) { return fails(file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails(file) ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { return fails(file) ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return fails(file) ? -1 : REAL(ftruncate64)(file, size); }

/* Opening fails only where it would make a file or let it be changed. */
static int opening_fails(const char *path, int flags) {
  char absolute[PATH_MAX];
  int number;
  if ((flags & O_ACCMODE) == O_RDONLY || (number = chosen_errno()) == 0) return 0;
  if (path[0] != '/' && getcwd(absolute, sizeof absolute) != NULL && strlen(absolute) + strlen(path) + 2 < PATH_MAX) {
    strcat(strcat(absolute, "/"), path);
    path = absolute;
  }
  if (!is_under(path)) return 0;
  errno = number;
  return 1;
}

#define OPEN(name)                                              \
  int name(const char *path, int flags, ...) {                  \
    va_list more;                                               \
    mode_t mode;                                                \
    va_start(more, flags);                                      \
    mode = va_arg(more, mode_t);                                \
    va_end(more);                                               \
    return opening_fails(path, flags) ? -1 : REAL(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

int unlink(const char *path) {
  int number = is_under(path) ? chosen_errno() : 0;
  if (number == 0) return REAL(unlink)(path);
  errno = number;
  return -1;
}
