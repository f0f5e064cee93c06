package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// startOnOwnThread is startFrom a network namespace, this process's own if that is
// empty.
func startOnOwnThread(netns string, argv, env []string, files []*os.File, attr *syscall.SysProcAttr) (*os.Process, error) {
	return startFrom(func() error { return enterNetNS(netns) }, argv, env, files, attr)
}

// startFrom executes this binary. The parent-death signal that the child asks for
// comes when the *thread* that made it ends, so the thread is kept until the process
// ends; it also lets the child be made in namespaces that enter puts the thread into.
func startFrom(enter func() error, argv, env []string, files []*os.File, attr *syscall.SysProcAttr) (*os.Process, error) {
	type result struct {
		p   *os.Process
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := enter(); err != nil {
			done <- result{nil, err}
			return
		}
		p, err := os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{Dir: "/", Env: env, Files: files, Sys: attr})
		done <- result{p, err}
		if err == nil {
			select {}
		}
	}()
	r := <-done
	return r.p, r.err
}

func enterNetNS(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering network namespace %s: %w", path, err)
	}
	return nil
}

// memFile returns a memory file that holds data, at its start.
func memFile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("sealing a memory file: %w", err)
	}
	return f, nil
}

// errNoReport means that the process ended without a word.
var errNoReport = errors.New("no report")

// maxReport bounds what is read of a report.
const maxReport = 64 << 10

// readReport reads what a process says about its start: nil if it stands.
func readReport(r *os.File) error {
	data, err := io.ReadAll(io.LimitReader(r, maxReport))
	if err != nil && len(data) == 0 {
		return err
	}
	if len(data) == 0 {
		return errNoReport
	}
	if data[0] == 'E' {
		return errors.New(string(bytes.TrimRight(data[1:], "\x00")))
	}
	var rep boot.Report
	if err := json.Unmarshal(data, &rep); err != nil {
		return fmt.Errorf("an unreadable report: %w", err)
	}
	return rep.Err()
}

// canMap reports whether id is one of the caller's own user namespace, so that
// it can be given on: not so for root in a namespace with few identifiers.
func canMap(id uint64) bool {
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		data, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		found := false
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) != 3 {
				continue
			}
			first, err1 := strconv.ParseUint(f[0], 10, 32)
			n, err2 := strconv.ParseUint(f[2], 10, 33)
			found = found || err1 == nil && err2 == nil && id >= first && id-first < n
		}
		if !found {
			return false
		}
	}
	return true
}

// bootEnv is the Sentry's environment.
func bootEnv(c *Config, ends *sockets) []string {
	env := passedEnv()
	if ends.keeper == nil { // which has the view
		env = append(env, viewEnv(c.View)...)
	}
	if n := c.Spec.Resources.GuestMemory; n > 0 {
		env = append(env, "CORDON_MEMORY="+strconv.FormatInt(n, 10))
	}
	return env
}
