package cgroup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

func hostV1(controllers ...string) *host {
	h := &host{v1: map[string]bool{}}
	for _, c := range controllers {
		h.v1[c] = true
	}
	return h
}

func hostV2(controllers ...string) *host {
	h := &host{unified: true, v2: map[string]bool{}}
	for _, c := range controllers {
		h.v2[c] = true
	}
	return h
}

// everything has every field of linux.resources set.
func everything() *specs.LinuxResources {
	device := []specs.LinuxThrottleDevice{{Rate: 7}}
	device[0].Major, device[0].Minor = 8, 1
	weight := []specs.LinuxWeightDevice{{Weight: ptr(uint16(20)), LeafWeight: ptr(uint16(30))}}
	return &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(100)), Reservation: ptr(int64(50)), Swap: ptr(int64(150)), Swappiness: ptr(uint64(3)),
			DisableOOMKiller: ptr(true), CheckBeforeUpdate: ptr(true)},
		CPU: &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(50000)), Burst: ptr(uint64(9)), Period: ptr(uint64(100000)),
			RealtimeRuntime: ptr(int64(4)), RealtimePeriod: ptr(uint64(5)), Cpus: "0-1", Mems: "0", Idle: ptr(int64(1))},
		Pids: &specs.LinuxPids{Limit: ptr(int64(7))},
		BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(10)), LeafWeight: ptr(uint16(11)), WeightDevice: weight,
			ThrottleReadBpsDevice: device, ThrottleWriteBpsDevice: device, ThrottleReadIOPSDevice: device, ThrottleWriteIOPSDevice: device},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}},
		Network:        &specs.LinuxNetwork{ClassID: ptr(uint32(6)), Priorities: []specs.LinuxInterfacePriority{{Name: "eth0", Priority: 2}}},
		Rdma:           map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr(uint32(1))}},
		Unified:        map[string]string{"memory.high": "90"},
	}
}

func TestEveryFieldIsConverted(t *testing.T) {
	x := reflect.ValueOf(convert(everything())).Elem()
	// Set otherwise: device rules, the freezer, how to set.
	none := map[string]bool{"Devices": true, "Freezer": true, "SkipDevices": true, "SkipFreezeOnSet": true}
	for i := range x.NumField() {
		if name := x.Type().Field(i).Name; x.Field(i).IsZero() != none[name] {
			t.Errorf("%s is %v", name, x.Field(i))
		}
	}
}

// Set keeps what it is not told to change, whatever the field.
func TestMergeTakesWhatIsSet(t *testing.T) {
	full := convert(everything())
	full.MemoryCheckBeforeUpdate = false
	if got := merge(full, new(cgroups.Resources)); !reflect.DeepEqual(got, full) {
		t.Errorf("nothing changed gives %+v", got)
	}
	if got := merge(new(cgroups.Resources), full); !reflect.DeepEqual(got, full) {
		t.Errorf("everything changed gives %+v", got)
	}
}

func TestWhatCannotBeHonouredIsRefused(t *testing.T) {
	r := everything()
	r.Unified = nil
	for _, n := range needs(r) {
		// A host with all other controllers names this field.
		h := hostV1()
		for _, o := range needs(r) {
			if o.controller != n.controller {
				h.v1[o.controller] = true
			}
		}
		err := h.check(r)
		if err == nil || !strings.Contains(err.Error(), "no cgroup controller \""+n.controller+"\"") {
			t.Errorf("without %s: %v", n.controller, err)
		}
	}
	if n := len(needs(r)); n != 26 {
		t.Errorf("%d fields are checked", n)
	}
	all := hostV2("memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma")
	for want, r := range map[string]*specs.LinuxResources{
		"linux.resources.memory.swappiness: cgroup version 2": {Memory: &specs.LinuxMemory{Swappiness: ptr(uint64(1))}},
		"linux.resources.memory.disableOOMKiller":             {Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}},
		"linux.resources.cpu.realtimeRuntime":                 {CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(1))}},
		"linux.resources.blockIO.leafWeight":                  {BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr(uint16(1))}},
		"linux.resources.network.classID":                     {Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}},
		`linux.resources.unified["misc.max"]: controller`:     {Unified: map[string]string{"misc.max": "1"}},
		`linux.resources.unified["a/b.c"]: must be a file`:    {Unified: map[string]string{"a/b.c": "1"}},
		`linux.resources.unified["x"]: must be in the form`:   {Unified: map[string]string{"x": "1"}},
	} {
		if err := all.check(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
	if err := hostV1("memory").check(&specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}); err == nil {
		t.Error("version 1 takes unified")
	}
	nothing := &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}, Pids: &specs.LinuxPids{}, Network: &specs.LinuxNetwork{}}
	if err := hostV1().check(nothing); err != nil {
		t.Errorf("nothing asked for: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		o                          Options
		path, parent, prefix, name string
	}{
		{Options{ID: "x"}, "", "", "", "x"},
		{Options{ID: "x", Path: "/a/../../b"}, "/b", "", "", ""},
		{Options{ID: "x", Path: "../../b"}, "b", "", "", ""},
		{Options{ID: "x", Systemd: true}, "", "", "runsc", "x"},
		{Options{ID: "x", Systemd: true, Path: "system.slice:docker:1"}, "", "system.slice", "docker", "1"},
		{Options{ID: "x", Systemd: true, Path: ":libpod:1"}, "", "", "libpod", "1"},
	} {
		got, err := c.o.config()
		if err != nil || got.Path != c.path || got.Parent != c.parent || got.ScopePrefix != c.prefix || got.Name != c.name {
			t.Errorf("%+v: %+v, %v", c.o, got, err)
		}
	}
	if _, err := (&Options{Systemd: true, Path: "/a/b"}).config(); err == nil || !strings.Contains(err.Error(), "slice:prefix:name") {
		t.Errorf("a path for systemd: %v", err)
	}
}

func TestSystemdProperties(t *testing.T) {
	got, err := systemdProperties(map[string]string{"org.systemd.property.TimeoutStopSec": "uint64 3", "other": "x"})
	if err != nil || len(got) != 1 || got[0].Name != "TimeoutStopUSec" || got[0].Value.Value() != uint64(3000000) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []map[string]string{{"org.systemd.property.": "1"}, {"org.systemd.property.A1": "1"}, {"org.systemd.property.X": "]"},
		{"org.systemd.property.ASec": "'x'"}} {
		if _, err := systemdProperties(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// The bound of tasks on the host lets the sandbox run the guest's.
func TestTasksOfTheHost(t *testing.T) {
	g := &Group{host: hostV2("pids")}
	got := g.forHost(&cgroups.Resources{PidsLimit: ptr(int64(10)), Unified: map[string]string{"pids.max": "20"}})
	if *got.PidsLimit != 296 || got.Unified["pids.max"] != "336" {
		t.Errorf("%d, %v", *got.PidsLimit, got.Unified)
	}
	if n := hostTasks(-1); n != -1 {
		t.Errorf("no limit is %d", n)
	}
}

func TestReadMounts(t *testing.T) {
	h := hostV1()
	h.addMount("35 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n")
	h.addMount("41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n")
	h.addMount("garbage\n")
	if !h.has("cpu") || !h.has("cpuacct") || h.has("memory") {
		t.Errorf("got %+v", h)
	}
	if h := hostV2("io"); !h.has("blkio") || !h.has("freezer") || h.has("cpu") {
		t.Errorf("version 2: %+v", h)
	}
}

// What clients parse has runc's names.
func TestStatsForm(t *testing.T) {
	s := cgroups.NewStats()
	s.CpuStats.CpuUsage.TotalUsage, s.MemoryStats.Usage.Usage, s.MemoryStats.Usage.Limit = 5, 6, 7
	s.PidsStats.Current, s.MemoryStats.Stats["cache"] = 8, 9
	s.MemoryStats.PSI = &cgroups.PSIStats{Some: cgroups.PSIData{Total: 10}}
	data, err := json.Marshal(Event{Type: "stats", ID: "c", Data: FromRaw(s)})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"type":"stats","id":"c","data":{"cpu":{"usage":{"total":5,`, `"usage":{"limit":7,"usage":6,"failcnt":0}`,
		`"pids":{"current":8}`, `"raw":{"cache":9}`, `"psi":{"some":{"avg10":0,"avg60":0,"avg300":0,"total":10}`, `"hugetlb":{}`,
		`"intel_rdt":{}`, `"network_interfaces":[]`, `"kernelTCP"`, `"cpuset":{`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
}

// Directories that others use are left, ours go.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	ours, used := filepath.Join(dir, "ours"), filepath.Join(dir, "used")
	for _, d := range []string{filepath.Join(ours, "leaf"), filepath.Join(used, "leaf"), filepath.Join(used, "other")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list := []string{ours + "/", used + "/", filepath.Join(ours, "leaf"), filepath.Join(used, "leaf"), filepath.Join(dir, "absent")}
	for range 2 { // the second time nothing is there
		if err := Remove(list); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(ours); !os.IsNotExist(err) {
		t.Errorf("our parent is left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(used, "other")); err != nil {
		t.Error(err)
	}
}
