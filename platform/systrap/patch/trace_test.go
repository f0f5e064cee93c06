package patch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A tracer runs a program and looks at its threads where they stop.
type tracer struct {
	t    *testing.T
	stop func(pid int, r *unix.PtraceRegs)
}

// trace runs the program at path to its end and returns what it printed and its
// exit status. Threads and children are traced as well.
func (x *tracer) trace(resume func(pid, sig int) error, path string, args ...string) (string, int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := os.CreateTemp(x.t.TempDir(), "out")
	if err != nil {
		x.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, unix.EPERM) {
			x.t.Skip("tracing is not allowed here")
		}
		x.t.Fatal(err)
	}
	main := cmd.Process.Pid
	defer cmd.Process.Release()
	code, known := -1, map[int]bool{}
	for {
		var st unix.WaitStatus
		pid, err := unix.Wait4(-1, &st, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		} else if err != nil {
			break
		}
		switch {
		case st.Exited() || st.Signaled():
			if pid == main {
				if code = st.ExitStatus(); st.Signaled() {
					x.t.Errorf("%v", st.Signal())
				}
			}
			continue
		case !known[pid]:
			known[pid] = true
			if pid == main {
				err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|
					unix.PTRACE_O_TRACEFORK|unix.PTRACE_O_TRACEVFORK|unix.PTRACE_O_EXITKILL)
				if err != nil {
					x.t.Fatal(err)
				}
			}
			resume(pid, 0)
			continue
		}
		sig := int(st.StopSignal())
		var r unix.PtraceRegs
		if sig == int(unix.SIGTRAP) || sig == int(unix.SIGTRAP)|0x80 {
			if st.TrapCause() <= 0 && unix.PtraceGetRegs(pid, &r) == nil {
				x.stop(pid, &r)
			}
			sig = 0
		}
		resume(pid, sig)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		x.t.Fatal(err)
	}
	return string(b), code
}

// TestCallsAreMadeByEntry shows that patched programs do make their calls by way
// of the trampolines.
func TestCallsAreMadeByEntry(t *testing.T) {
	path := compile(t, "prog", threadsC, "gcc", "-static")
	r := rewrite(t, path, filepath.Join(t.TempDir(), "prog"), false)
	want, code := run(t, "", path)
	patched, all := 0, 0
	elsewhere := map[uint64]int{}
	x := tracer{t: t, stop: func(_ int, regs *unix.PtraceRegs) {
		// At the entry of a system call, rax says that none was made.
		if int64(regs.Rax) != -int64(unix.ENOSYS) || int64(regs.Orig_rax) < 0 || regs.Orig_rax == Sigreturn {
			return
		}
		if all++; regs.Rip >= r.entries && regs.Rip < r.end {
			patched++
		} else {
			elsewhere[regs.Rip]++
		}
	}}
	got, code2 := x.trace(unix.PtraceSyscall, r.path)
	if got != want || code != code2 {
		t.Errorf("exit %d, native %d; printed\n%s\nnative\n%s", code2, code, got, want)
	}
	t.Logf("%d of %d calls by way of an entry routine, others from %x", patched, all, elsewhere)
	if all < 1000 || patched*100 < all*97 {
		t.Error("too few")
	}
}

// TestResume steps through a patched program, and takes it out of every
// trampoline at each of its instructions once.
func TestResume(t *testing.T) {
	path := compile(t, "prog", stepsC, "gcc", "-static")
	r := rewrite(t, path, filepath.Join(t.TempDir(), "prog"), false)
	want, code := run(t, "", path)
	var set Set
	for _, p := range r.patches {
		set.Add(p)
	}
	done, forms := map[uint64]bool{}, map[Form]int{}
	x := tracer{t: t, stop: func(pid int, regs *unix.PtraceRegs) {
		at, ok := set.Resume(regs.Rip)
		if !ok || done[regs.Rip] {
			return
		}
		done[regs.Rip] = true
		for _, p := range r.patches {
			if p.Plan.Site == at || p.Plan.At == at {
				forms[p.Plan.Form]++
			}
		}
		regs.Rip = at
		regs.R11 = 0xdead
		if err := unix.PtraceSetRegs(pid, regs); err != nil {
			t.Error(err)
		}
	}}
	got, code2 := x.trace(func(pid, sig int) error {
		_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SINGLESTEP, uintptr(pid), 0, uintptr(sig), 0, 0)
		if e != 0 {
			return e
		}
		return nil
	}, r.path)
	if got != want || code != code2 {
		t.Errorf("exit %d, native %d; printed\n%s\nnative\n%s", code2, code, got, want)
	}
	t.Logf("%d places in trampolines, by form %v", len(done), forms)
	if len(done) < 30 || forms[FormA] == 0 {
		t.Error("too few")
	}
}

const stepsC = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include <fcntl.h>
#include <string.h>

int main(void) {
	char buf[100];
	int p[2];
	struct termios tio;
	if (pipe(p) || write(p[1], "hello", 5) != 5 || read(p[0], buf, 100) != 5) abort();
	struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
	if (writev(p[1], v, 2) != 4 || readv(p[0], v, 0) != 0) abort();
	int a = syscall(SYS_getpid) == getpid(), b = lseek(p[0], 0, SEEK_CUR);
	int c = tcgetattr(p[0], &tio), d = dup2(p[0], 20), e = fcntl(20, F_GETFD);
	printf("%d %d %d %d %d %d\n", a, b, c, d, e, errno == ENOTTY);
	return getppid() > 0 ? 5 : 6;
}
`
