package apps

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The root with systemd, made like that of TestBundle.
const (
	systemdRoot     = "bookworm-systemd"
	systemdPackages = "systemd,systemd-sysv,dbus,libpam-systemd,procps,iproute2,busybox-static"
	systemdTime     = 3 * time.Minute
)

// systemdAnswers is what testdata/systemd/script must print.
const systemdAnswers = `started 0
hello from small
UID
touch: cannot touch '/usr/x': Read-only file system
strict
0::/system.slice/small.service
52428800
50000 100000
200
20
1
its own /tmp
stopped 0
inactive
ticked
by systemd-run
0::/system.slice/run
Result=oom-kill
tasks 2
populated 1 frozen 1 thawed 0
killed
0
running
`

// TestSystemd has systemd as process 1 of a container.
func TestSystemd(t *testing.T) {
	s := newSandbox(t)
	root := debianRoot(t, systemdRoot, systemdPackages, "units")
	t.Run("services", func(t *testing.T) {
		id, done := s.bootSystemd(t, root)
		if out := s.ask(t, id, "systemctl", "is-system-running", "--wait"); out != "running\n" {
			t.Errorf("the system is %q\n%s", out, s.ask(t, id, "systemctl", "--no-pager", "--failed"))
		}
		got := s.ask(t, id, "bash", "/units/script")
		var lines []string
		for l := range strings.Lines(got) {
			if len(l) == 6 && l[0] == '6' { // a user that was made for the service
				l = "UID\n"
			}
			lines = append(lines, l)
		}
		if got = strings.Join(lines, ""); got != systemdAnswers {
			t.Errorf("it answers\n%s\nnot\n%s", got, systemdAnswers)
		}
		s.ask(t, id, "systemctl", "poweroff")
		s.ends(t, id, done, 0)
	})
	// With the right to reboot, what process 1 ends by is a signal (reboot(2)).
	t.Run("reboot", func(t *testing.T) {
		id, done := s.bootSystemd(t, root, "CAP_SYS_BOOT")
		s.ask(t, id, "systemctl", "is-system-running", "--wait")
		s.ask(t, id, "systemctl", "poweroff")
		s.ends(t, id, done, 130)
	})
}

// bootSystemd starts a container. done has its end.
func (s *sandbox) bootSystemd(t *testing.T, root string, caps ...string) (id string, done <-chan error) {
	t.Helper()
	caps = append(caps, "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_ADMIN", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_NICE",
		"CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_AUDIT_WRITE")
	units, err := filepath.Abs("testdata/systemd")
	if err != nil {
		t.Fatal(err)
	}
	var mounts []specs.Mount
	for _, m := range [...][3]string{
		{"/proc", "proc"}, {"/dev", "tmpfs", "mode=755"}, {"/dev/pts", "devpts", "mode=620,ptmxmode=666"}, {"/dev/shm", "tmpfs"}, {"/run", "tmpfs", "mode=755"},
		{"/tmp", "tmpfs"}, {"/var", "tmpfs", "mode=755"}, {"/sys", "sysfs", "ro"}, {"/sys/fs/cgroup", "cgroup2", "rw"},
	} {
		mounts = append(mounts, specs.Mount{Destination: m[0], Type: m[1], Source: m[1], Options: strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })})
	}
	mounts = append(mounts, specs.Mount{Destination: "/units", Type: "bind", Source: units, Options: []string{"bind", "ro"}})
	spec := &specs.Spec{
		Version: "1.0.2", Root: &specs.Root{Path: root, Readonly: true}, Mounts: mounts,
		Process: &specs.Process{
			Args: []string{"/sbin/init"}, Cwd: "/", Env: []string{"container=oci", "PATH=" + rootPath},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.CgroupNamespace},
		}},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	id = fmt.Sprintf("systemd-%d-%d", os.Getpid(), len(caps))
	cmd := s.command("run", "--bundle", dir, id)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			s.explain(t, id)
		}
		cmd.Process.Kill()
	})
	s.await(t, id)
	return id, end
}

// await waits until systemd answers.
func (s *sandbox) await(t *testing.T, id string) {
	t.Helper()
	for end := time.Now().Add(systemdTime); time.Now().Before(end) && t.Context().Err() == nil; time.Sleep(100 * time.Millisecond) {
		if s.command("exec", id, "test", "-S", "/run/dbus/system_bus_socket").Run() == nil {
			return
		}
	}
	t.Fatal("systemd does not come up")
}

// ask runs a program in the container.
func (s *sandbox) ask(t *testing.T, id string, argv ...string) string {
	t.Helper()
	got, err := run(t, s.command(append([]string{"exec", id}, argv...)...), systemdTime, func(int) { s.explain(t, id) })
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", argv, err, got.stdout, got.stderr)
	}
	return got.stdout
}

// ends expects that the container ends by itself.
func (s *sandbox) ends(t *testing.T, id string, done <-chan error, status int) {
	t.Helper()
	select {
	case err := <-done:
		code := 0
		if exit, ok := err.(*exec.ExitError); ok {
			code = exit.ExitCode()
		}
		if code != status {
			t.Errorf("status %d, not %d", code, status)
		}
	case <-time.After(systemdTime):
		t.Error("it does not end")
	}
}
