/* Preloaded, makes every call that flushes a disk's cache take SLOW_FSYNC_US microseconds longer. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static void linger(void)
{
    const char *asked = getenv("SLOW_FSYNC_US");
    long us = asked ? atol(asked) : 0;
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&pause, NULL);
}

#define SLOWED(name)                                                \
    int name(int file)                                              \
    {                                                               \
        int (*flush)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name);  \
        linger();                                                   \
        return flush(file);                                         \
    }

SLOWED(fsync)
SLOWED(fdatasync)
SLOWED(syncfs)

int msync(void *start, size_t length, int flags)
{
    int (*flush)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
    if (flags & MS_SYNC)
        linger();
    return flush(start, length, flags);
}
