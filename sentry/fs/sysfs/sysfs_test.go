package sysfs_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/fs/sysfs"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

func TestTree(t *testing.T) {
	devices := []sysfs.NetDevice{{
		Name: "lo", Index: 1, Address: "00:00:00:00:00:00", MTU: 65536, Flags: 0x9, Type: 772, Carrier: true, OperState: "unknown",
		Stats: map[string]uint64{"rx_bytes": 12},
	}}
	w := vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		return sysfs.New(sysfs.Options{
			Device: v.NextDevice(), Clock: func() int64 { return 1 }, CPUs: 4, MemoryTotal: 1 << 30,
			Net: func() []sysfs.NetDevice { return devices },
		})
	})
	c := w.User
	for path, want := range map[string]string{
		"/devices/system/cpu/online":                        "0-3\n",
		"/devices/system/cpu/cpu2/topology/core_id":         "2\n",
		"/devices/system/cpu/cpu2/topology/thread_siblings": "4\n",
		"/devices/system/cpu/cpu0/topology/core_siblings":   "f\n",
		"/devices/system/node/node0/cpulist":                "0-3\n",
		"/devices/system/node/node0/cpu1/topology/core_id":  "1\n",
		"/class/net/lo/mtu":                                 "65536\n",
		"/class/net/lo/operstate":                           "unknown\n",
		"/class/net/lo/statistics/rx_bytes":                 "12\n",
		"/class/net/lo/subsystem/lo/ifindex":                "1\n",
		"/kernel/mm/transparent_hugepage/enabled":           "always madvise [never]\n",
		"/kernel/mm/transparent_hugepage/hpage_pmd_size":    "2097152\n",
	} {
		if got := w.Read(c, path); got != want {
			t.Errorf("%s reads %q, want %q", path, got, want)
		}
	}
	if n := w.Names(c, "/block"); len(n) != 0 {
		t.Errorf("/sys/block has %v", n)
	}
	if n := w.Names(c, "/class/net"); len(n) != 1 || n["lo"].Type != uint8(linux.DT_LNK) {
		t.Errorf("/sys/class/net has %v", n)
	}
	devices = append(devices, sysfs.NetDevice{Name: "eth0", Index: 2, MTU: 1500})
	if got := w.Read(c, "/class/net/eth0/mtu"); got != "1500\n" {
		t.Errorf("a new device's mtu reads %q", got)
	}
	devices = devices[:1]
	w.OpenErr(c, "/class/net/eth0/mtu", linux.O_RDONLY, linux.ENOENT)
	if st := w.Stat(c, "/devices/system/cpu/online"); st.Size != 4096 {
		t.Errorf("size %d", st.Size)
	}
}
