/* LD_PRELOAD: from the Nth call of one sort below a directory on, the call fails, or is tampered with.

   FAULT_BELOW   paths that start so count
   FAULT_CALLS   "write" (what makes or fills files), "read" (what opens or reads them)
   FAULT_NTH     from this call on (counted over all processes), 0 for never
   FAULT_ERRNO   the error that it gives; 0: the Nth call waits until the test has done something
   FAULT_COUNT   a file of three numbers of 8 bytes, for all processes together: calls so far,
                 whether one waits, whether it may go on. Behind its walls a worker opens no file
                 and runs no program, so that this is all that it can say */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int reads, error;
static const char *below;
static long nth;
static volatile long *count;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int real_open(const char *path, int flags)
{
    REAL(int, "open", const char *, int, ...);
    return real(path, flags);
}

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("FAULT_COUNT"), *calls = getenv("FAULT_CALLS");
    below = getenv("FAULT_BELOW");
    if (!below || !file || !calls) {
        below = NULL;
        return;
    }
    reads = !strcmp(calls, "read");
    nth = atol(getenv("FAULT_NTH"));
    error = atoi(getenv("FAULT_ERRNO"));
    int fd = real_open(file, O_RDWR | O_CLOEXEC);
    count = mmap(NULL, 3 * sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
}

static int fails(const char *path)
{
    if (!below || strncmp(path, below, strlen(below)))
        return 0;
    long number = __sync_add_and_fetch(count, 1);
    if (!nth || number < nth)
        return 0;
    if (error) {
        errno = error;
        return 1;
    }
    if (number == nth) {
        count[1] = 1;
        while (!count[2])
            usleep(1000);
    }
    return 0;
}

static int fails_at(const char *path, int is_read)
{
    if (!below || is_read != reads || path[0] != '/')
        return 0;
    struct stat found;
    if (is_read && !stat(path, &found) && S_ISDIR(found.st_mode))
        return 0; /* nobody could tidy up what cannot be listed */
    return fails(path);
}

static int fails_on(int fd, int is_read)
{
    char name[64], path[PATH_MAX];
    if (!below || is_read != reads)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return fails(path);
}

#define WRITES(flags) (((flags) & (O_CREAT | O_WRONLY | O_RDWR)) != 0)

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(int, #name, const char *, int, ...); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return fails_at(path, !WRITES(flags)) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) \
    { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return fails_at(path, !WRITES(flags)) ? -1 : real(at, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

#define ON(type, name, is_read, parameters, arguments, ...) \
    type name parameters \
    { \
        REAL(type, #name, __VA_ARGS__); \
        return fails_on(fd, is_read) ? -1 : real arguments; \
    }
ON(ssize_t, write, 0, (int fd, const void *data, size_t size), (fd, data, size),
   int, const void *, size_t)
ON(ssize_t, pwrite, 0, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
   int, const void *, size_t, off_t)
ON(ssize_t, pwrite64, 0, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
   int, const void *, size_t, off64_t)
ON(ssize_t, writev, 0, (int fd, const struct iovec *data, int size), (fd, data, size),
   int, const struct iovec *, int)
ON(int, ftruncate, 0, (int fd, off_t size), (fd, size), int, off_t)
ON(int, ftruncate64, 0, (int fd, off64_t size), (fd, size), int, off64_t)
ON(ssize_t, read, 1, (int fd, void *data, size_t size), (fd, data, size), int, void *, size_t)
ON(ssize_t, pread, 1, (int fd, void *data, size_t size, off_t at), (fd, data, size, at),
   int, void *, size_t, off_t)
ON(ssize_t, pread64, 1, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at),
   int, void *, size_t, off64_t)
ON(ssize_t, preadv, 1, (int fd, const struct iovec *data, int size, off_t at),
   (fd, data, size, at), int, const struct iovec *, int, off_t)
ON(ssize_t, preadv64, 1, (int fd, const struct iovec *data, int size, off64_t at),
   (fd, data, size, at), int, const struct iovec *, int, off64_t)

#define AT(name, parameters, arguments, ...) \
    int name parameters \
    { \
        REAL(int, #name, __VA_ARGS__); \
        return fails_at(path, 0) ? -1 : real arguments; \
    }
AT(mkdir, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
AT(rename, (const char *path, const char *target), (path, target), const char *, const char *)

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t at)
{
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    if (fd >= 0 && below && fails_on(fd, !(protection & PROT_WRITE)))
        return MAP_FAILED;
    return real(address, size, protection, flags, fd, at);
}
