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

// A tree that is mounted in a process's root, by name.
struct cordon_tree {
	int fd;
	const char *path; // on the host
	char name[64];
};

enum { CORDON_PRIVATE = 1 << 18 }; // MS_PRIVATE

// cordon_tmpfs returns a detached mount of a new tmpfs.
int cordon_tmpfs(const char *keys[][2], unsigned attrs);

// cordon_private_mounts cuts the namespace's mounts off from the host's.
void cordon_private_mounts(void);

// cordon_empty_root makes a directory that nobody can write to the root, with nothing
// but some trees.
void cordon_empty_root(const struct cordon_tree *trees, int count);

// cordon_clone_tree clones what is at path, if not alone with all that is mounted below
// it. In a user namespace the kernel may refuse to show what lies beneath other mounts:
// they come along then, and are covered by the guest's.
int cordon_clone_tree(const char *path, char access, int alone, unsigned long propagation);

// A tree of the gofer's is "ro:PATH", "rw:PATH", or "rW:PATH" if the mount
// is to become writable, with a dot for the colon if it is
// without what is mounted below it, "<" if mounts that are made on the host later
// are to be seen, and ">" if mounts made inside are to come to the host, too; "=" is
// one that the parent has made, whose ids are mapped.
int cordon_follows(const char *tree);
int cordon_hosted(const char *tree);

// cordon_clone_trees clones each tree, -1 where the parent has made it, and cuts off the
// namespace's other mounts. One that is the host's root is cloned last and without the
// kernel's own file systems: they are the guest kernel's to provide, and behind them lie
// the host's switches.
void cordon_clone_trees(int count, char **trees, int *fds);

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

// cordon_enter_mounter gives the mounter its trees and takes its other rights away,
// cordon_mounter is its life (mounter.c). It never returns.
void cordon_enter_mounter(int count, char **trees, const char *names);
__attribute__((noreturn)) void cordon_mounter(void);

// cordon_porter is the porter's life (porter.c); owner: its calls may have
// CAP_IPC_OWNER. It never returns.
__attribute__((noreturn)) void cordon_porter(int owner);
