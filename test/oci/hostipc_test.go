package oci

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inHostIPC takes the IPC namespace out of a configuration: it is the host's then.
func inHostIPC(s *specs.Spec) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.IPCNamespace })
	for _, set := range []*[]string{&s.Process.Capabilities.Bounding, &s.Process.Capabilities.Effective, &s.Process.Capabilities.Permitted} {
		*set = append(*set, "CAP_SETUID", "CAP_SETGID")
	}
}

// hostSegment makes a segment on the host that begins with a word.
func hostSegment(t *testing.T) (key, id int, contents []byte) {
	t.Helper()
	key = 0x43000000 + os.Getpid()
	id, err := unix.SysvShmGet(key, 10000, unix.IPC_CREAT|unix.IPC_EXCL|0o640)
	if err != nil {
		t.Skipf("no System V segments here: %v", err)
	}
	t.Cleanup(func() { unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	contents, err = unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.SysvShmDetach(contents) })
	copy(contents, "outside\x00")
	return key, id, contents
}

// A container without an IPC namespace uses the host's System V objects as a program
// of the host does.
func TestHostIPC(t *testing.T) {
	w := newWorld(t)
	if os.Geteuid() != 0 {
		t.Skip("the host's IPC namespace is root's to give")
	}
	program := filepath.Join(t.TempDir(), "sysv")
	if out, err := exec.Command("gcc", "-O1", "-static", "-o", program, "testdata/sysv.c").CombinedOutput(); err != nil {
		t.Skipf("no C compiler for a static program: %v: %s", err, out)
	}
	key, id, contents := hostSegment(t)
	b := w.bundle(fmt.Sprintf("cat /proc/sysvipc/shm; echo BEGIN; /sysv %d", key), inHostIPC)
	w.check(exec.Command("cp", program, filepath.Join(b, "rootfs", "sysv")).Run())
	r := w.run("run", "--bundle", b, w.id())
	listed, seen, _ := strings.Cut(r.out, "BEGIN\n")
	if !strings.Contains(listed, fmt.Sprintf(" %d ", id)) {
		t.Errorf("segment %d is not listed: %v", id, r)
	}
	if got := string(contents[:6]); got != "inside" {
		t.Errorf("the host reads %q", got)
	}
	copy(contents, "outside\x00")
	native, err := exec.Command(program, fmt.Sprint(key)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if seen != string(native) {
		t.Errorf("inside:\n%s\non the host:\n%s", seen, native)
	}
	w.eventually("the sandbox has let go of the segment", func() bool {
		var d unix.SysvShmDesc
		_, err := unix.SysvShmCtl(id, unix.IPC_STAT, &d)
		return err == nil && d.Nattch == 1
	})
}

// With an IPC namespace in the configuration nothing of the host's is seen.
func TestOwnIPC(t *testing.T) {
	w := newWorld(t)
	_, id, _ := hostSegment(t)
	if out := w.output("cat /proc/sysvipc/shm", nil); strings.Contains(out, fmt.Sprintf(" %d ", id)) {
		t.Errorf("segment %d of the host in %q", id, out)
	}
}
