// What Glibc does not show to Swift: headers it leaves out, GNU declarations, atomic counters. No logic.
#ifndef PC_LINUX_H
#define PC_LINUX_H

#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <pthread.h>

extern int accept4(int fd, struct sockaddr *_Nullable addr, socklen_t *_Nullable len, int flags);
extern int pipe2(int fds[2], int flags);
extern void *_Nullable memmem(const void *_Nonnull haystack, size_t hl, const void *_Nonnull needle, size_t nl);
extern int sched_getaffinity(int pid, size_t size, void *_Nonnull set);

/// Adds to a counter that one thread writes and others read: a plain add, but visible as atomic.
static inline void pc_counter_add(uint64_t *_Nonnull p, uint64_t n) {
    __atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline uint64_t pc_load(const uint64_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void pc_store(uint64_t *_Nonnull p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline uint32_t pc_load32(const uint32_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void pc_store32(uint32_t *_Nonnull p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

static inline int pc_set_thread_name(const char *_Nonnull name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

/// The head of the kernel's `struct sched_attr`, which glibc does not declare (sched_setattr(2)).
struct pc_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
/// Asks for a turn of `ns` at a time for the calling thread and keeps the rest; Linux before 6.12 takes no notice.
static inline int pc_ask_slice(uint64_t ns) {
    struct pc_sched_attr attr = {0};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0) return -1;
    attr.flags = 0;
    attr.runtime = ns;
    return (int)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static inline int pc_errno(void) { return errno; }
/// Whether all that was printed has arrived.
static inline int pc_flush_output(void) { return fflush(stdout) == 0 && !ferror(stdout); }

#endif
