package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWorld(t *testing.T) {
	w := newWorld(t)
	t.Run("is a network, PID and mount namespace of its own", func(t *testing.T) {
		links := w.must("ip", "-o", "link")
		if strings.Count(links, "\n") != 1 || !strings.Contains(links, "LOOPBACK,UP") {
			t.Errorf("its links are %q", links)
		}
		w.expect(0, "yes", "sh", "-c", "test -d /proc/1 && test ! -e /proc/"+strings.TrimSpace(w.must("sh", "-c", "echo 9999999"))+" && echo yes")
	})
	t.Run("runsc runs in it", func(t *testing.T) {
		w.expect(3, "hello", w.runsc, "--root", filepath.Join(w.dir, "state"), "do", "sh", "-c", "echo hello; exit 3")
	})
	t.Run("notices what is left", func(t *testing.T) {
		mark := filepath.Join(w.dir, "left")
		if err := os.Mkdir(mark, 0o755); err != nil {
			t.Fatal(err)
		}
		w.must("mount", "-t", "tmpfs", "left", mark)
		w.must("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null &")
		group := "/sys/fs/cgroup/pids/" + w.name + "/x"
		made := os.MkdirAll(group, 0o755) == nil
		w.eventually("the process is seen", func() bool { return len(w.processes()) == 1 })
		if m := w.newMounts(); len(m) != 1 || m[0] != mark {
			t.Errorf("the new mounts are %q", m)
		}
		if made && len(w.cgroups()) != 1 {
			t.Errorf("the cgroups are %q", w.cgroups())
		}
		w.must("umount", mark)
		w.must("pkill", "sleep")
		w.sweepCgroups()
	})
}
