package shim

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/containerd/containerd/api/types"
)

func TestMountMaps(t *testing.T) {
	rest, m, err := mountMaps([]string{"ro", "uidmap=0:1000:5,5:9000:1", "gidmap=0:2000:10", "lowerdir=/a"})
	if err != nil || len(rest) != 2 || m == nil || len(m.uids) != 2 || m.uids[1] != (syscall.SysProcIDMap{ContainerID: 5, HostID: 9000, Size: 1}) || m.gids[0].HostID != 2000 {
		t.Errorf("%v %v %v", rest, m, err)
	}
	if _, m, err := mountMaps([]string{"ro"}); m != nil || err != nil {
		t.Errorf("maps of none: %v %v", m, err)
	}
	for _, bad := range [][]string{{"uidmap=0:1:1"}, {"uidmap=", "gidmap=0:1:1"}, {"uidmap=0:1", "gidmap=0:1:1"}, {"uidmap=a:1:1", "gidmap=0:1:1"}} {
		if _, _, err := mountMaps(bad); err == nil {
			t.Errorf("%q are maps", bad)
		}
	}
}

// TestMappedRootfs: root of a layer is the map's user in the root file system, and what
// the container writes lies in its own layer.
func TestMappedRootfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, d := range []string{"lower", "upper", "work", "over", "bound"} {
		if err := os.Mkdir(at(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("lower/f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	maps := []string{"uidmap=0:100000:65536", "gidmap=0:200000:65536"}
	for target, m := range map[string]*types.Mount{
		"over":  {Type: "overlay", Source: "overlay", Options: append([]string{"lowerdir=" + at("lower"), "upperdir=" + at("upper"), "workdir=" + at("work")}, maps...)},
		"bound": {Type: "bind", Source: at("lower"), Options: append([]string{"rbind", "ro"}, maps...)},
	} {
		t.Run(target, func(t *testing.T) {
			if err := mountOne(at(target), m); err != nil {
				t.Skipf("the host cannot map ids of its files: %v", err)
			}
			defer unmountRootfs(at(target))
			var st syscall.Stat_t
			if err := syscall.Stat(at(target+"/f"), &st); err != nil || st.Uid != 100000 || st.Gid != 200000 {
				t.Errorf("the file is %d:%d's: %v", st.Uid, st.Gid, err)
			}
		})
	}
}
