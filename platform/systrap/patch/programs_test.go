package patch

// threadsC does what is hard on a patched system call: threads in it at once,
// signals that interrupt and restart it, longjmp out of a handler, fork, vfork,
// and children on stacks of their own. What it prints is always the same.
const threadsC = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter, ready;
static volatile sig_atomic_t ticks;
static sigjmp_buf out;

static void tick(int n) { ticks++; }
static void leave(int n) { siglongjmp(out, 1); }

static void *work(void *arg) {
	long me = (long)arg;
	pthread_mutex_lock(&mu);
	ready++;
	pthread_cond_broadcast(&cond);
	while (ready < 8)
		pthread_cond_wait(&cond, &mu);
	pthread_mutex_unlock(&mu);
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mu);
		counter++;
		pthread_mutex_unlock(&mu);
		if (syscall(SYS_getpid) != getpid() || getppid() <= 0)
			abort();
		if (i % 100 == me)
			sched_yield();
	}
	int p[2];
	char buf[64];
	if (pipe(p)) abort();
	for (int i = 0; i < 200; i++) {
		memset(buf, i, sizeof buf);
		if (write(p[1], buf, sizeof buf) != sizeof buf) abort();
		memset(buf, 0, sizeof buf);
		if (read(p[0], buf, sizeof buf) != sizeof buf || buf[63] != (char)i) abort();
	}
	close(p[0]), close(p[1]);
	return arg;
}

static void files(void) {
	char name[] = "/tmp/patchXXXXXX", buf[32] = "";
	int fd = mkstemp(name);
	struct stat st;
	if (fd < 0 || pwrite(fd, "hello", 5, 3) != 5 || pread(fd, buf, 32, 0) != 8) abort();
	if (fstat(fd, &st) || stat(name, &st) || st.st_size != 8) abort();
	if (ftruncate(fd, 4096) || unlink(name)) abort();
	char *m = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
	printf("file %s %d\n", m + 3, (int)lseek(fd, 0, SEEK_END));
	munmap(m, 4096), close(fd);
	errno = 0;
	printf("errno %d %d\n", open("/nonexistent", O_RDONLY), errno == ENOENT);
	printf("errno %ld %d\n", syscall(SYS_read, -1, 0, 0), errno == EBADF);
	uintptr_t b = (uintptr_t)syscall(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("six arguments %d\n", b > 4096 && b % 4096 == 0);
}

static void processes(char *self) {
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (pid == 0) _exit(getpid() != syscall(SYS_getpid) ? 1 : i);
		int st;
		if (waitpid(pid, &st, 0) != pid || WEXITSTATUS(st) != i) abort();
		if ((pid = vfork()) == 0) _exit(i);
		if (waitpid(pid, &st, 0) != pid || WEXITSTATUS(st) != i) abort();
	}
	char *args[] = {self, "child", 0};
	char *env[] = {0};
	pid_t pid;
	int st;
	if (access("/bin/true", X_OK) == 0) {
		char *args[] = {"/bin/true", 0};
		if (posix_spawn(&pid, args[0], 0, 0, args, env) || waitpid(pid, &st, 0) != pid || st) abort();
	}
	printf("processes\n");
}

int main(int argc, char **argv) {
	pthread_t t[8];
	struct sigaction sa = {.sa_handler = tick, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &sa, 0);
	struct itimerval it = {{0, 200}, {0, 200}};
	setitimer(ITIMER_REAL, &it, 0);
	for (long i = 0; i < 8; i++)
		if (pthread_create(&t[i], 0, work, (void *)i)) abort();
	long sum = 0;
	for (int i = 0; i < 8; i++) {
		void *r;
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("threads %ld %d\n", sum, counter);
	// Interrupted: nanosleep is not restarted after a handler, read is.
	struct timespec ts = {1, 0}, rem;
	while (nanosleep(&ts, &rem) == 0 || errno != EINTR);
	int p[2];
	char c;
	if (pipe(p)) abort();
	if (fork() == 0) {
		setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
		ts = (struct timespec){0, 30000000};
		nanosleep(&ts, 0);
		if (write(p[1], "x", 1) != 1) abort();
		_exit(0);
	}
	printf("restarted read %d\n", (int)read(p[0], &c, 1));
	wait(0);
	files();
	sa.sa_handler = leave, sa.sa_flags = 0;
	sigaction(SIGUSR1, &sa, 0);
	volatile int jumps = 0;
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(out, 1) == 0) {
			raise(SIGUSR1);
			abort();
		}
		jumps++;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
	printf("jumps %d ticks %d\n", jumps, ticks > 0);
	processes(argv[0]);
	fflush(stdout);
	return 7;
}
`

// httpGo serves itself over the loopback from many goroutines.
const httpGo = `package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println("child", os.Args[1])
		return
	}
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGUSR1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := range 8 {
		wg.Go(func() {
			for range 25 {
				pr, pw := io.Pipe()
				go func() { pw.Write(make([]byte, 1000*(i+1))); pw.Close() }()
				resp, err := http.Post("http://"+l.Addr().String(), "text/plain", pr)
				if err != nil {
					panic(err)
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				mu.Lock()
				total += len(b)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fmt.Println("bytes", total)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-sig)
	time.Sleep(time.Millisecond)
	out, err := exec.Command("/proc/self/exe", "x").Output()
	fmt.Printf("%s%v\n", out, err)
	_, err = os.Open("/nonexistent")
	fmt.Println(err)
	os.Exit(3)
}
`
