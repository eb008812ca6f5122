#include "sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cstddef>

// They keep much of their own, and call the kernel for more than we would.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EPODE_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define EPODE_SANITIZED
#endif
#endif

namespace epode::image {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t architecture = AUDIT_ARCH_RISCV64;
#else
constexpr std::uint32_t architecture = 0;
#endif

bool limit(__rlimit_resource what, std::uint64_t most) {
    const rlimit both{most, most};
    return ::setrlimit(what, &both) == 0;
}

#define EPODE_ALLOW(call)                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, std::uint32_t(call), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

[[maybe_unused]] bool forbidCalls() {
    if (architecture == 0) return false;
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, std::uint32_t(offsetof(seccomp_data, arch))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, std::uint32_t(offsetof(seccomp_data, nr))),
        EPODE_ALLOW(__NR_read),
        EPODE_ALLOW(__NR_write),
        EPODE_ALLOW(__NR_brk),
        EPODE_ALLOW(__NR_mmap),
        EPODE_ALLOW(__NR_munmap),
        EPODE_ALLOW(__NR_mremap),
        EPODE_ALLOW(__NR_madvise),
        EPODE_ALLOW(__NR_futex),
        EPODE_ALLOW(__NR_exit),
        EPODE_ALLOW(__NR_exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const sock_fprog program{sizeof rules / sizeof *rules, rules};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#undef EPODE_ALLOW

}  // namespace

bool enterSandbox(std::uint64_t memoryBytes, unsigned cpuSeconds) {
    if (!limit(RLIMIT_CPU, cpuSeconds) || !limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NPROC, 0) ||
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return false;
#ifdef EPODE_SANITIZED
    return memoryBytes > 0;
#else
    return limit(RLIMIT_AS, memoryBytes) && forbidCalls();
#endif
}

}  // namespace epode::image
