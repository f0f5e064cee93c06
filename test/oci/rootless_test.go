package oci

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ordinary is a user that the host knows nothing of.
const ordinary = 12345

// newOrdinaryWorld is newWorld for an ordinary user: the runtime is started by it,
// and state and bundles are its own.
func newOrdinaryWorld(t *testing.T, id int) *world {
	w := newWorld(t)
	data, err := os.ReadFile(w.runtime)
	w.check(err)
	w.runtime = filepath.Join(w.dir, filepath.Base(w.runtime))
	w.check(os.WriteFile(w.runtime, data, 0o755))
	w.check(os.Chmod(filepath.Dir(w.dir), 0o755))
	w.own(id, w.dir)
	w.own(id, w.state)
	w.user = &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}
	return w
}

// own gives a tree to the user.
func (w *world) own(id int, dir string) {
	w.Helper()
	w.check(filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err == nil {
			err = os.Lchown(path, id, id)
		}
		return err
	}))
}

// ordinaryBundle is a bundle of the world's user, whose own id is root inside.
func (w *world) ordinaryBundle(script string, change func(s *specs.Spec)) string {
	w.Helper()
	id := w.user.Uid
	dir := w.bundle(script, func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: id, Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: id, Size: 1}}
		s.Linux.Resources = nil
		if change != nil {
			change(s)
		}
	})
	w.own(int(id), dir)
	w.check(os.Lchown(w.busybox(), int(id), int(id)))
	return dir
}

// TestOrdinaryUser: every command, by somebody with no rights at all.
func TestOrdinaryUser(t *testing.T) {
	w := newOrdinaryWorld(t, ordinary)
	runc := strings.Contains(w.must("--version"), "runc version")
	dir := filepath.Join(w.dir, "new")
	w.check(os.Mkdir(dir, 0o755))
	w.own(ordinary, dir)
	w.must("spec", "--rootless", "--bundle", dir)
	w.must("features")
	if got := w.must("run", "-b", w.ordinaryBundle("id -u; cat /proc/self/uid_map; touch /made", nil), w.id()); strings.Join(strings.Fields(got), " ") != fmt.Sprintf("0 0 %d 1", ordinary) {
		t.Errorf("run: %q", got)
	}
	b := w.ordinaryBundle(idle, nil)
	id := w.create(b)
	if s := w.status(id); s.Status != "created" {
		t.Errorf("created: %+v", s)
	}
	w.must("start", id)
	w.eventually("the program runs", func() bool {
		st, err := os.Stat(filepath.Join(b, "rootfs/ready"))
		return err == nil && st.Sys().(*syscall.Stat_t).Uid == ordinary
	})
	commands := map[string][]string{"running": {"list"}, id + "\n": {"list", "-q"}, "0\n": {"exec", id, "id", "-u"}}
	if !runc {
		commands["touch /ready"] = []string{"ps", id}
	}
	for want, args := range commands {
		if got := w.must(args...); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
	if !runc { // which needs control groups for these
		w.must("pause", id)
		w.must("resume", id)
		if got := w.must("events", "--stats", id); !strings.Contains(got, `"memory"`) {
			t.Errorf("events: %q", got)
		}
		w.fails("cannot set memory limit|no cgroups", "update", "--memory", "64m", id)
		image := filepath.Join(w.dir, "image")
		w.must("checkpoint", "--image-path", image, id)
		w.must("delete", "--force", id)
		w.detached("restore", "--image-path", image, "--bundle", b, "--detach", id)
		w.must("exec", id, "true")
	}
	w.must("kill", id, "KILL")
	w.eventually("it stops", func() bool { return w.status(id).Status == "stopped" })
	w.must("delete", id)
}

// TestOrdinaryUsersLimits: without a group of the host they bind inside, and that is
// said.
func TestOrdinaryUsersLimits(t *testing.T) {
	w := newOrdinaryWorld(t, ordinary)
	if strings.Contains(w.must("--version"), "runc version") {
		t.Skip("runc refuses them")
	}
	limit := int64(64 << 20)
	b := w.ordinaryBundle("grep MemTotal /proc/meminfo", func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	})
	if r := w.run("run", "-b", b, w.id()); strings.Join(strings.Fields(r.out), " ") != "MemTotal: 65536 kB" || !strings.Contains(r.errors, "bind inside") {
		t.Errorf("the limit: %s", r)
	}
	w.fails("cgroup", "--rootless=false", "run", "-b", b, w.id())
	w.fails("is none of true, false, auto", "--rootless=perhaps", "list")
}

// TestOrdinaryUsersNetwork: what `run` gets by its configuration is a network of its
// own with nothing in it; with a broker it goes out.
func TestOrdinaryUsersNetwork(t *testing.T) {
	w := newOrdinaryWorld(t, ordinary)
	if strings.Contains(w.must("--version"), "runc version") {
		t.Skip("runc has no network of its own making")
	}
	for flags, out := range map[string]bool{"--network=none": false, "--network=sandbox": false, "--network=user": true} {
		if got := w.must(flags, "run", "-b", w.ordinaryBundle("cat /proc/net/dev", nil), w.id()); strings.Contains(got, "eth0:") != out || !strings.Contains(got, "lo:") {
			t.Errorf("%s: %s", flags, got)
		}
	}
	if got := w.must("do", "cat", "/proc/net/dev"); !strings.Contains(got, "eth0:") {
		t.Errorf("do: %q", got)
	}
}

// TestSubordinateIDs: what /etc/subuid gives a user, it can map.
func TestSubordinateIDs(t *testing.T) {
	const nobody = 65534
	w := newOrdinaryWorld(t, nobody)
	for _, name := range []string{"newuidmap", "newgidmap", "unshare", "setpriv"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	account, err := exec.Command("id", "-nu", strconv.Itoa(nobody)).Output()
	if err != nil {
		t.Skip("the host has no account nobody")
	}
	w.check(os.WriteFile(filepath.Join(w.dir, "sub"), fmt.Appendf(nil, "%s:300000:65536\n", strings.TrimSpace(string(account))), 0o644))
	for _, c := range []struct {
		first uint32
		texts string
	}{{300000, "0 1 5:6"}, {500000, "not allowed|newuidmap|newgidmap|uid_map|operation not permitted"}} {
		b := w.ordinaryBundle("head -n 1 /proc/self/uid_map | cut -c 1-10; id -u; touch /made; chown 5:6 /made; stat -c %u:%g /made", func(s *specs.Spec) {
			more := specs.LinuxIDMapping{ContainerID: 1, HostID: c.first, Size: 65536}
			s.Linux.UIDMappings, s.Linux.GIDMappings = append(s.Linux.UIDMappings, more), append(s.Linux.GIDMappings, more)
			caps := []string{"CAP_CHOWN"}
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
		})
		w.check(os.Symlink("busybox", filepath.Join(b, "rootfs/bin/chown")))
		// The host's files stay as they are: another mount namespace has others.
		script := fmt.Sprintf(`touch /etc/subuid /etc/subgid && mount --bind %[1]s/sub /etc/subuid && mount --bind %[1]s/sub /etc/subgid &&
			exec setpriv --reuid %[2]d --regid %[2]d --clear-groups %[3]s --root %[4]s run -b %[5]s %[6]s`, w.dir, nobody, w.runtime, w.state, b, w.id())
		cmd := exec.Command("timeout", "-k", "1", "20", "unshare", "-m", "sh", "-c", script)
		out, err := cmd.CombinedOutput()
		if c.first == 300000 {
			st, serr := os.Stat(filepath.Join(b, "rootfs/made"))
			if !strings.HasSuffix(strings.TrimSpace(string(out)), "5:6") || err != nil || serr != nil || st.Sys().(*syscall.Stat_t).Uid != 300004 {
				t.Errorf("subordinate ids: %q, %v, %v", out, err, serr)
			}
			continue
		}
		named := false
		for text := range strings.SplitSeq(c.texts, "|") {
			named = named || strings.Contains(strings.ToLower(string(out)), text)
		}
		if err == nil || !named {
			t.Errorf("ids of others: %q, %v", out, err)
		}
	}
	if left, err := os.ReadDir(w.state); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
