// What processes, signals, waits and programs do: run on the host and in a
// sandbox, and the output compared.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <ucontext.h>
#define P(...) do { printf(__VA_ARGS__); fflush(stdout); } while (0)
static volatile int hits, lastsig;
static void h(int s) { hits++; lastsig = s; }
static void on(int s, void (*f)(int), int flags) { struct sigaction a = {0}; a.sa_handler = f; a.sa_flags = flags; sigaction(s, &a, 0); }
static void ms(int n) { struct timespec t = {n/1000, n%1000*1000000L}; while (nanosleep(&t, &t) && errno == EINTR); }
static pid_t later(int delay, void (*f)(pid_t), int sig) { pid_t me = getpid(), p = fork(); if (!p) { (void)f; ms(delay); if (sig == -1) { kill(me, SIGSTOP); ms(delay); kill(me, SIGCONT); } else kill(me, sig); _exit(0); } return p; }
static const char *en(int r) { static char b[40]; if (r >= 0) { sprintf(b, "%d", r); return b; } return strerrorname_np(errno); }
static void st(const char *w, int s) {
  if (WIFEXITED(s)) P("%s: exited %d\n", w, WEXITSTATUS(s)); else if (WIFSIGNALED(s)) P("%s: signal %d\n", w, WTERMSIG(s));
  else if (WIFSTOPPED(s)) P("%s: stopped %d\n", w, WSTOPSIG(s)); else if (WIFCONTINUED(s)) P("%s: continued\n", w); }
static void *spin(void *a) { for (;;) pause(); }
static void *exiter(void *a) { ms(30); _exit(7); }
static void *execer(void *a) { execl("/bin/sh", "sh", "-c", "echo exec pid ok; exit 9", NULL); return 0; }
static void *leaderless(void *a) { ms(40); P("last thread\n"); syscall(SYS_exit_group, 5); return 0; }
static void fault(int s, siginfo_t *i, void *u) { ucontext_t *c = u; P("fault %d code %d trap %lld user %d cr2 %d\n", s, i->si_code, (long long)c->uc_mcontext.gregs[REG_TRAPNO], (c->uc_mcontext.gregs[REG_ERR] & 4) != 0, c->uc_mcontext.gregs[REG_CR2] == (long long)i->si_addr); _exit(3); }
int main(int argc, char **argv) {
  int s, r; pid_t p, q; struct timespec t, rem; siginfo_t si; struct rusage ru; int pp[2]; char b[64]; sigset_t set;
  setvbuf(stdout, 0, _IONBF, 0);
  if (argc > 1 && !strcmp(argv[1], "sleepfor")) { ms(atoi(argv[2])); return 0; }
  on(SIGUSR1, h, 0); on(SIGUSR2, h, SA_RESTART);
  // nanosleep
  p = later(50, 0, SIGUSR1); t = (struct timespec){2, 0}; r = nanosleep(&t, &rem); P("nanosleep %s left %d\n", en(r), rem.tv_sec == 1); waitpid(p, &s, 0);
  p = later(50, 0, -1); t = (struct timespec){0, 300000000}; r = nanosleep(&t, &rem); P("nanosleep stop %s\n", en(r)); waitpid(p, &s, 0);
  // read restart
  pipe(pp); p = fork(); if (!p) { ms(120); write(pp[1], "x", 1); _exit(0); }
  q = later(40, 0, SIGUSR2); r = read(pp[0], b, 9); P("read restart %s\n", en(r)); while (wait(&s) > 0);
  q = later(40, 0, SIGUSR1); r = read(pp[0], b, 9); P("read eintr %s\n", en(r)); while (wait(&s) > 0);
  q = later(40, 0, -1); p = fork(); if (!p) { ms(150); write(pp[1], "x", 1); _exit(0); } r = read(pp[0], b, 9); P("read stop %s\n", en(r)); while (wait(&s) > 0);
  // poll
  struct pollfd pf = {pp[0], POLLIN, 0};
  q = later(40, 0, SIGUSR2); r = poll(&pf, 1, 1000); P("poll sa_restart %s\n", en(r)); while (wait(&s) > 0);
  q = later(40, 0, -1); r = poll(&pf, 1, 200); P("poll stop %s\n", en(r)); while (wait(&s) > 0);
  // futex
  int fu = 0; t = (struct timespec){1, 0};
  q = later(40, 0, SIGUSR2); r = syscall(SYS_futex, &fu, FUTEX_WAIT, 0, &t); P("futex timeout sa_restart %s\n", en(r)); while (wait(&s) > 0);
  t = (struct timespec){0, 200000000}; q = later(40, 0, -1); r = syscall(SYS_futex, &fu, FUTEX_WAIT, 0, &t); P("futex stop %s\n", en(r)); while (wait(&s) > 0);
  // epoll, sigtimedwait, pause
  int ep = epoll_create1(0); struct epoll_event ev;
  q = later(40, 0, SIGUSR2); r = epoll_wait(ep, &ev, 1, 1000); P("epoll %s\n", en(r)); while (wait(&s) > 0);
  q = later(40, 0, SIGUSR2); r = pause(); P("pause %s\n", en(r)); while (wait(&s) > 0);
  sigemptyset(&set); sigaddset(&set, SIGCHLD); t = (struct timespec){0, 100000000}; r = sigtimedwait(&set, &si, &t); P("sigtimedwait %s\n", en(r));
  sigprocmask(SIG_BLOCK, &set, 0); p = fork(); if (!p) _exit(4); r = sigwaitinfo(&set, &si); P("sigwaitinfo %d code %d status %d pid %d\n", r, si.si_code, si.si_status, si.si_pid == p); waitpid(p, &s, 0); sigprocmask(SIG_UNBLOCK, &set, 0);
  // wait family
  p = fork(); if (!p) { raise(SIGSTOP); ms(100); _exit(1); }
  waitpid(p, &s, WUNTRACED); st("wait", s); r = waitpid(p, &s, WUNTRACED | WNOHANG); P("again %s\n", en(r));
  kill(p, SIGCONT); waitpid(p, &s, WCONTINUED); st("wait", s); memset(&si, 0, sizeof si); r = waitid(P_PID, p, &si, WEXITED | WNOWAIT); P("waitid %s code %d status %d\n", en(r), si.si_code, si.si_status);
  waitpid(p, &s, 0); st("wait", s); r = waitpid(p, &s, 0); P("gone %s\n", en(r));
  p = fork(); if (!p) { raise(SIGSTOP); _exit(1); } waitpid(p, &s, WUNTRACED); kill(p, SIGKILL); waitpid(p, &s, 0); st("killed while stopped", s);
  p = fork(); if (!p) { setpgid(0, 0); ms(50); _exit(2); } setpgid(p, p); q = fork(); if (!q) _exit(1); r = waitpid(-p, &s, 0); P("pgid %d\n", r == p); st("wait", s); waitpid(q, &s, 0);
  on(SIGCHLD, SIG_IGN, 0); p = fork(); if (!p) { ms(50); _exit(1); } r = wait(&s); P("ignored %s\n", en(r)); on(SIGCHLD, SIG_DFL, 0);
  on(SIGCHLD, h, SA_NOCLDWAIT); hits = 0; p = fork(); if (!p) { ms(50); _exit(1); } do r = wait(&s); while (r < 0 && errno == EINTR); P("nocldwait %s hits %d\n", en(r), hits); on(SIGCHLD, SIG_DFL, 0);
  r = waitpid(-1, &s, 0); P("none %s\n", en(r)); r = waitid(P_ALL, 0, &si, 0); P("noopt %s\n", en(r));
  // clone child with another signal
  p = syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0); if (!p) _exit(6); ms(50); r = waitpid(p, &s, WNOHANG); P("clone child plain %s\n", en(r)); r = waitpid(p, &s, __WALL); P("wall %d\n", r == p); 
  p = syscall(SYS_clone, 0, 0, 0, 0, 0); if (!p) _exit(6); r = waitpid(p, &s, __WCLONE); P("wclone %d\n", r == p); st("x", s);
  // threads
  pthread_t th;
  p = fork(); if (!p) { pthread_create(&th, 0, execer, 0); for (;;) pause(); } waitpid(p, &s, 0); st("exec from thread", s);
  p = fork(); if (!p) { for (int i = 0; i < 5; i++) pthread_create(&th, 0, spin, 0); pthread_create(&th, 0, exiter, 0); for (;;) pause(); } waitpid(p, &s, 0); st("exit_group from thread", s);
  p = fork(); if (!p) { pthread_create(&th, 0, leaderless, 0); pthread_exit(0); } r = waitpid(p, &s, 0); st("leader gone", s);
  p = fork(); if (!p) { for (int i = 0; i < 5; i++) pthread_create(&th, 0, spin, 0); ms(2000); _exit(0); } ms(50); kill(p, SIGSTOP); r = waitpid(p, &s, WUNTRACED); st("threads stop", s); kill(p, SIGCONT); waitpid(p, &s, WCONTINUED); st("threads cont", s); kill(p, SIGSTOP); r = waitpid(p, &s, WUNTRACED); st("threads stop", s); kill(p, SIGTERM); kill(p, SIGCONT); waitpid(p, &s, 0); st("term after cont", s);
  // quick stop/cont/stop
  p = fork(); if (!p) { for (int i = 0; i < 3; i++) pthread_create(&th, 0, spin, 0); ms(5000); _exit(0); } ms(30); for (int i = 0; i < 200; i++) { kill(p, SIGSTOP); kill(p, SIGCONT); } kill(p, SIGSTOP); do waitpid(p, &s, WUNTRACED); while (!WIFSTOPPED(s)); st("storm", s); kill(p, SIGKILL); waitpid(p, &s, 0); st("storm", s);
  // vfork
  p = vfork(); if (!p) { execl("/bin/true", "true", NULL); _exit(1); } waitpid(p, &s, 0); st("vfork exec", s);
  p = fork(); if (!p) { q = vfork(); if (!q) { ms(3000); _exit(0); } _exit(0); } ms(60); kill(p, SIGKILL); r = waitpid(p, &s, 0); st("vfork parent killed", s);
  // pdeathsig, subreaper
  prctl(PR_SET_CHILD_SUBREAPER, 1); pipe(pp);
  p = fork(); if (!p) { q = fork(); if (!q) { prctl(PR_SET_PDEATHSIG, SIGTERM); write(pp[1], "r", 1); for (;;) pause(); } read(pp[0], b, 1); _exit(0); }
  waitpid(p, &s, 0); st("middle", s); r = wait(&s); st("orphan", s);
  // ignoring subreaper given a zombie
  p = fork(); if (!p) { on(SIGCHLD, SIG_IGN, 0); prctl(PR_SET_CHILD_SUBREAPER, 1); q = fork(); if (!q) { if (!fork()) _exit(0); ms(50); _exit(0); } ms(120); r = wait(&s); P("ignoring subreaper %s\n", en(r)); _exit(0); } waitpid(p, &s, 0); st("reaper", s);
  // faults
  p = fork(); if (!p) { struct sigaction a = {0}; a.sa_sigaction = fault; a.sa_flags = SA_SIGINFO; sigaction(SIGSEGV, &a, 0); *(volatile int *)16 = 1; } waitpid(p, &s, 0); st("segv", s);
  p = fork(); if (!p) { on(SIGSEGV, SIG_IGN, 0); *(volatile int *)16 = 1; _exit(0); } waitpid(p, &s, 0); st("segv ignored", s);
  // exec errors
  unlink("bad"); unlink("./script"); int fd = open("bad", O_CREAT | O_WRONLY | O_TRUNC, 0755); write(fd, "garbage", 7); close(fd); r = execl("./bad", "x", NULL); P("enoexec %s\n", en(r));
  chmod("bad", 0644); r = execl("./bad", "x", NULL); P("eacces %s\n", en(r)); r = execl("/tmp", "x", NULL); P("dir %s\n", en(r)); r = execl("/nonexistent", "x", NULL); P("none %s\n", en(r));
  fd = open("./script", O_CREAT | O_WRONLY | O_TRUNC, 0755); write(fd, "#!./script\n", 11); close(fd); r = execl("./script", "x", NULL); P("loop %s\n", en(r));
  fd = open("./script", O_CREAT | O_WRONLY | O_TRUNC, 0755); write(fd, "#! /bin/echo  a b  \n", 20); close(fd); p = fork(); if (!p) { execl("./script", "x", "y", NULL); _exit(1); } waitpid(p, &s, 0);
  fd = open("./script", O_CREAT | O_WRONLY | O_TRUNC, 0755); write(fd, "#!\n", 3); close(fd); r = execl("./script", "x", NULL); P("empty %s\n", en(r));
  fd = open("./script", O_CREAT | O_WRONLY | O_TRUNC, 0755); write(fd, "#!/nonexistent\n", 15); close(fd); r = execl("./script", "x", NULL); P("nointerp %s\n", en(r));
  char *big = malloc(200000); memset(big, 'a', 199999); big[199999] = 0; r = execl("/bin/true", "x", big, NULL); P("e2big %s\n", en(r));
  static char *many[100001]; for (int i = 0; i < 100000; i++) many[i] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; r = execv("/bin/true", many); P("e2big many %s\n", en(r));
  // misc
  r = kill(0x7fffffff, 0); P("kill none %s\n", en(r)); r = kill(getpid(), 65); P("kill 65 %s\n", en(r)); r = syscall(SYS_tgkill, getpid(), 0, 0); P("tgkill %s\n", en(r));
  r = syscall(SYS_clone, 200, 0, 0, 0, 0); if (r == 0) _exit(0); P("clone 200 %s\n", r > 0 ? "ok" : en(r)); while (waitpid(-1, &s, __WALL) > 0);
  r = syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0); P("clone sighand %s\n", en(r)); r = syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0); P("clone thread %s\n", en(r));
  prctl(PR_SET_NAME, "abcdefghijklmnopqrstuvwxyz"); prctl(PR_GET_NAME, b); P("name %s\n", b);
  r = sigaction(SIGKILL, &(struct sigaction){0}, 0); P("sigaction kill %s\n", en(r)); r = getgroups(-1, 0); P("getgroups %s\n", en(r)); r = poll((void *)8, 1, 0); P("poll bad %s\n", en(r)); r = poll(0, 100000000, 0); P("poll many %s\n", en(r));
  struct itimerval it = {{0, 20000}, {0, 20000}}; hits = 0; on(SIGALRM, h, 0); setitimer(ITIMER_REAL, &it, 0); while (hits < 3) pause(); P("itimer ok\n"); it = (struct itimerval){0}; setitimer(ITIMER_REAL, &it, 0);
  // queued rt signals in order
  sigemptyset(&set); sigaddset(&set, SIGRTMIN); sigprocmask(SIG_BLOCK, &set, 0); for (int i = 0; i < 5; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){i}); for (int i = 0; i < 5; i++) { sigwaitinfo(&set, &si); P("%d", si.si_value.sival_int); } P("\n");
  unlink("bad"); unlink("./script"); P("end\n"); return 0; }
