// What the processes of a sandbox share that run C before Go has threads.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

// cordon_fail reports why the process does not stand, on its ready descriptor,
// and ends it.
__attribute__((noreturn, format(printf, 1, 2))) void cordon_fail(const char *fmt, ...);

// cordon_drop_rights leaves the process the capabilities of keep, as user and
// group id; less than zero is who it is.
void cordon_drop_rights(uint64_t keep, long id);

// cordon_answer sends n bytes to a socket, and the descriptor fd unless it is
// less than zero. It returns what sendmsg does.
long cordon_answer(int to, const void *data, size_t n, int fd);

// cordon_only_calls has the kernel end the process if it makes a call that the
// program does not allow.
void cordon_only_calls(struct sock_fprog *prog);

#if defined(__x86_64__)
#define CORDON_ARCH AUDIT_ARCH_X86_64
#else
#define CORDON_ARCH AUDIT_ARCH_AARCH64
#endif

// What such a program is made of: CALLS ends a process of another architecture
// and loads the call's number, NR looks at more statements for one number only,
// LET allows one number.
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(k, then, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, then, other)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define CALLS LOAD(arch), IF(CORDON_ARCH, 1, 0), KILL, LOAD(nr)
#define NR(n, more) IF(n, 0, more)
#define LET(n) NR(n, 1), ALLOW

// cordon_view makes the mount namespace's root that of a container (view.c), and
// the process's own the detached mount empty.
int cordon_view(const char *list, int empty, int proc);

// cordon_opener is the opener's life (opener.c). It never returns.
__attribute__((noreturn)) void cordon_opener(void);

// cordon_herald is the herald's life (herald.c). It never returns.
__attribute__((noreturn)) void cordon_herald(const char *group);

// cordon_porter is the porter's life (porter.c); owner: its calls may have
// CAP_IPC_OWNER. It never returns.
__attribute__((noreturn)) void cordon_porter(int owner);
