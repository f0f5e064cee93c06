// What the processes of a sandbox share that run C before Go has threads.

#include <stdint.h>

// cordon_fail reports why the process does not stand, on its ready descriptor,
// and ends it.
__attribute__((noreturn, format(printf, 1, 2))) void cordon_fail(const char *fmt, ...);

// cordon_drop_rights leaves the process the capabilities of keep, as user and
// group id; less than zero is who it is.
void cordon_drop_rights(uint64_t keep, long id);

// cordon_only_calls has the kernel end the process if it makes a call that the
// program does not allow.
struct sock_fprog;
void cordon_only_calls(struct sock_fprog *prog);

// cordon_view makes the mount namespace's root that of a container (view.c), and
// the process's own the detached mount empty.
int cordon_view(const char *list, int empty, int proc);

// cordon_opener is the opener's life (opener.c). It never returns.
__attribute__((noreturn)) void cordon_opener(void);

// cordon_herald is the herald's life (herald.c). It never returns.
__attribute__((noreturn)) void cordon_herald(const char *group);
