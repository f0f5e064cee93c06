package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cordon/runsc/filter"

	"golang.org/x/sys/unix"
)

// running starts a sandbox and returns its two processes.
func (e *env) running(flags ...string) (bootPID, goferPID int, stop func()) {
	e.Helper()
	kill, wait := e.started(append(append([]string{"do"}, flags...), "wait")...)
	entries, err := os.ReadDir(e.root)
	if err != nil || len(entries) != 1 {
		e.Fatalf("the state directory has %v, %v", entries, err)
	}
	st := e.state(entries[0].Name())
	return st.Boot.PID, st.Gofer.PID, func() {
		kill(syscall.SIGTERM)
		wait()
	}
}

// threadStatus returns a field of /proc/PID/status for every thread.
func threadStatus(t *testing.T, pid int, field string) (values []string) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if len(files) == 0 {
		t.Fatalf("process %d is gone", pid)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue // a thread that ended
		}
		for sc := bufio.NewScanner(f); sc.Scan(); {
			if k, v, _ := strings.Cut(sc.Text(), ":"); k == field {
				values = append(values, strings.TrimSpace(v))
			}
		}
		f.Close()
	}
	return values
}

func TestZonesHaveNoRights(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	boot, gofer, stop := e.running()
	defer stop()
	// The stand-in for the Sentry asks the gofer for nothing, so the sandbox may
	// be up before the gofer has made itself ready to serve.
	e.eventually("the gofer has its filter", func() bool {
		v := threadStatus(t, gofer, "Seccomp")
		return len(v) > 0 && !slices.Contains(v, "0")
	})
	const none = "0000000000000000"
	for _, z := range []struct {
		name string
		pid  int
		caps string
	}{{"boot", boot, none}, {"gofer", gofer, ""}} {
		for _, field := range []string{"CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"} {
			for _, v := range threadStatus(t, z.pid, field) {
				mask, err := strconv.ParseUint(v, 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				const files = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
					1<<unix.CAP_FSETID | 1<<unix.CAP_MKNOD | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_LEASE
				if z.name == "boot" && mask != 0 || mask&^files != 0 {
					t.Errorf("%s has %s %s", z.name, field, v)
				}
			}
		}
		for field, want := range map[string]string{"Seccomp": "2", "NoNewPrivs": "1"} {
			for _, v := range threadStatus(t, z.pid, field) {
				if v != want {
					t.Errorf("a thread of %s has %s %s", z.name, field, v)
				}
			}
		}
		if entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root", z.pid)); err != nil || len(entries) != 0 {
			t.Errorf("the root of %s holds %v, %v", z.name, entries, err)
		}
	}
	for _, v := range threadStatus(t, boot, "Uid") {
		if strings.Fields(v)[1] != "65534" {
			t.Errorf("boot runs as %s", v)
		}
	}
}

func TestZonesHaveNamespacesOfTheirOwn(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	boot, gofer, stop := e.running()
	defer stop()
	ns := func(pid int, kind string) string {
		s, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, kind := range []string{"mnt", "pid", "net", "ipc", "uts", "user"} {
		own := ns(os.Getpid(), kind)
		if ns(boot, kind) == own {
			t.Errorf("boot shares our %s namespace", kind)
		}
		if kind != "user" && ns(gofer, kind) == own {
			t.Errorf("the gofer shares our %s namespace", kind)
		}
		if kind != "user" && ns(gofer, kind) == ns(boot, kind) {
			t.Errorf("boot and the gofer share a %s namespace", kind)
		}
	}
}

// What the gofer could reach of the host through the descriptor of its root.
func TestGoferRootHasNoKernelFileSystems(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	_, gofer, stop := e.running()
	defer stop()
	const rootFD = 7
	for _, dir := range []string{"proc", "sys", "dev"} {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd/%d/%s", gofer, rootFD, dir))
		if err != nil || len(entries) != 0 {
			t.Errorf("/%s of the gofer holds %v, %v", dir, entries, err)
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(fmt.Sprintf("/proc/%d/fd/%d/etc", gofer, rootFD), &st); err != nil {
		t.Fatal(err)
	}
	if st.Flags&unix.ST_RDONLY == 0 {
		t.Error("the gofer's root is writable")
	}
}

// callsOutside are system calls that no zone has, with arguments that make
// them harmless where nothing stops them.
var callsOutside = []int{unix.SYS_EXECVE, unix.SYS_OPEN, unix.SYS_MOUNT, unix.SYS_SETUID, unix.SYS_UNSHARE, unix.SYS_BPF,
	unix.SYS_KEYCTL, unix.SYS_PROCESS_VM_READV, unix.SYS_IO_URING_SETUP, unix.SYS_CHROOT, unix.SYS_SYMLINK}

func TestSentryIsKilledOutsideItsTable(t *testing.T) {
	e := newEnv(t)
	for _, nr := range append(callsOutside, unix.SYS_OPENAT, unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_UNLINKAT) {
		r := e.run("do", "syscall", strconv.Itoa(nr), "-1", "-1", "-1")
		if r.code != 128+int(syscall.SIGSYS) {
			t.Errorf("system call %d: exit code %d", nr, r.code)
		}
	}
	if r := e.run("do", "syscall", strconv.Itoa(unix.SYS_GETPID)); r.code != 0 {
		t.Errorf("getpid: exit code %d", r.code)
	}
	// The test can tell: without filters the call comes back.
	r := e.run("--unsafe-no-filter", "do", "syscall", strconv.Itoa(unix.SYS_OPEN), "-1", "-1", "-1")
	if r.code != int(unix.EFAULT) {
		t.Errorf("open without filters: exit code %d", r.code)
	}
}

// TestGoferIsKilledOutsideItsTable puts the gofer's filter on a process of its
// own, which makes one call.
func TestGoferIsKilledOutsideItsTable(t *testing.T) {
	if nr := os.Getenv("CORDON_TEST_CALL"); nr != "" {
		callUnderGoferFilter(nr)
	}
	for _, nr := range append(callsOutside, unix.SYS_PTRACE) {
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestGoferIsKilledOutsideItsTable$")
		cmd.Env = append(os.Environ(), "CORDON_TEST_CALL="+strconv.Itoa(nr))
		cmd.Run()
		if code := exitCode(cmd); code != -int(syscall.SIGSYS) {
			t.Errorf("system call %d: ended with %d", nr, code)
		}
	}
}

func callUnderGoferFilter(nr string) {
	n, _ := strconv.Atoi(nr)
	prog, err := filter.Gofer().Compile()
	if err == nil {
		err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if err == nil {
		err = filter.Install(prog)
	}
	if err == nil {
		_, _, err = unix.RawSyscall(uintptr(n), ^uintptr(0), ^uintptr(0), ^uintptr(0))
	}
	fmt.Println("not killed:", err)
	os.Exit(0)
}

// What a caller leaves open does not come into a sandbox.
func TestZonesGetNoDescriptorsOfTheCaller(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	want, err := secret.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// A number beyond those that the processes' own are placed at.
	inherited, err := unix.FcntlInt(secret.Fd(), unix.F_DUPFD, 300)
	if err != nil {
		t.Fatal(err)
	}
	boot, gofer, stop := e.running()
	unix.Close(inherited)
	defer stop()
	for name, pid := range map[string]int{"boot": boot, "gofer": gofer} {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(links) == 0 {
			t.Fatalf("%s shows no descriptors: %v", name, err)
		}
		for _, l := range links {
			if got, err := os.Stat(l); err == nil && os.SameFile(got, want) {
				t.Errorf("%s has its caller's file as %s", name, filepath.Base(l))
			}
		}
	}
}
