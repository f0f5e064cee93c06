package spec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cordon/runsc/boot"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestTemplateIsValid(t *testing.T) {
	for _, rootless := range []bool{false, true} {
		s := Template()
		if rootless {
			MakeRootless(s, 1000, 1000)
		}
		if err := Validate(s); err != nil {
			t.Error(err)
		}
	}
}

// change returns the template with a change made.
func change(f func(s *specs.Spec)) *specs.Spec {
	s := Template()
	f(s)
	return s
}

func TestValidateNamesTheField(t *testing.T) {
	for want, f := range map[string]func(*specs.Spec){
		"ociVersion: missing":          func(s *specs.Spec) { s.Version = "" },
		"ociVersion: \"1.x\"":          func(s *specs.Spec) { s.Version = "1.x" },
		"root.path: missing":           func(s *specs.Spec) { s.Root.Path = "" },
		"process: missing":             func(s *specs.Spec) { s.Process = nil },
		"process.env[1]: \"B\"":        func(s *specs.Spec) { s.Process.Env = []string{"A=1", "B"} },
		"process.args[0]: holds a NUL": func(s *specs.Spec) { s.Process.Args = []string{"a\x00b"} },
		"process.rlimits[0].type":      func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} },
		"process.rlimits[0].soft: 2":   func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CPU", Soft: 2, Hard: 1}} },
		"process.rlimits[1].type: RLIM": func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CPU"}, {Type: "RLIMIT_CPU"}}
		},
		"process.scheduler":               func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{} },
		"mounts[0].destination: missing":  func(s *specs.Spec) { s.Mounts = []specs.Mount{{}} },
		"hooks.poststop[0].path":          func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "x"}}} },
		"hooks.startContainer[0].path":    func(s *specs.Spec) { s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "x"}}} },
		"linux.namespaces[0].type: \"x\"": func(s *specs.Spec) { s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "x"}} },
		"linux.namespaces[1].type: pid":   func(s *specs.Spec) { s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "pid"}, {Type: "pid"}} },
		"linux.namespaces[0].path": func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount", Path: "/proc/1/ns/mnt"}}
		},
		"linux.uidMappings":       func(s *specs.Spec) { s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "user"}} },
		"linux.intelRdt":          func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{} },
		"linux.maskedPaths[0]":    func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"proc"} },
		"linux.rootfsPropagation": func(s *specs.Spec) { s.Linux.RootfsPropagation = "spread" },
		"linux.devices[0].type":   func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "z"}} },
		"for another platform":    func(s *specs.Spec) { s.Windows = &specs.Windows{} },
	} {
		if err := Validate(change(f)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func TestDecodeNamesTheField(t *testing.T) {
	for in, want := range map[string]string{
		`{"process":{"args":"x"}}`:             "process.args: a JSON string where an array",
		`{"process":{"user":{"uid":"root"}}}`:  "process.user.uid: a JSON string where a number",
		`{"process":{"user":{"uid":-1}}}`:      "process.user.uid: a JSON number -1",
		`{"linux":{"resources":{"memory":7}}}`: "linux.resources.memory: a JSON number where an object",
		`{"hostname":{}}`:                      "hostname: a JSON object where a string",
		`{"root":{"readonly":1}}`:              "root.readonly: a JSON number where true or false",
		`[]`:                                   "the configuration: a JSON array where an object",
		`{"a":1}}`:                             "byte 8: ",
		``:                                     "unexpected end",
		`{"linux":{"namespaces":[{"type":true}]}}`: "linux.namespaces.type: a JSON bool where a string",
	} {
		if _, err := Decode([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", in, err, want)
		}
	}
	if _, err := Decode([]byte(`{"ociVersion":"1.0.0","future":{"a":1}}`)); err != nil {
		t.Errorf("an unknown property: %v", err)
	}
}

// bundle makes a bundle with a root directory.
func bundle(t *testing.T) string {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestConvert(t *testing.T) {
	dir := bundle(t)
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	s := change(func(s *specs.Spec) {
		s.Root.Readonly = false
		s.Mounts = append(s.Mounts,
			specs.Mount{Destination: "/data", Type: "bind", Source: "file", Options: []string{"rbind", "ro", "rprivate"}},
			specs.Mount{Destination: "/dir", Source: dir, Options: []string{"bind", "nosuid"}})
		limit := int64(1 << 30)
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	})
	p, err := Convert(s, dir, Options{ID: "x", Network: boot.NetworkSandbox})
	if err != nil {
		t.Fatal(err)
	}
	if m := p.Boot.Mounts[0]; m.Destination != "/" || m.Type != boot.MountGofer || m.ReadOnly || m.Shared {
		t.Errorf("the root is %+v", m)
	}
	if m := p.Boot.Mounts[2]; m.Destination != "/dev" || m.Type != boot.MountDev {
		t.Errorf("/dev is %+v", m)
	}
	n := len(p.Boot.Mounts)
	if m := p.Boot.Mounts[n-2]; !m.File || !m.ReadOnly || !m.Shared || len(m.Options) != 0 {
		t.Errorf("the file is %+v", m)
	}
	if m := p.Boot.Mounts[n-1]; m.File || m.ReadOnly || !m.NoSUID {
		t.Errorf("the directory is %+v", m)
	}
	if len(p.Roots) != 3 || p.Roots[0].ReadOnly || !p.Roots[1].ReadOnly || p.Roots[1].Path != file {
		t.Errorf("the trees are %+v", p.Roots)
	}
	if p.Boot.MemoryLimit != 1<<30 || p.Boot.Sysctl["net.ipv4.ip_forward"] != "1" {
		t.Errorf("got %+v", p.Boot)
	}
	if c := p.Boot.Process.Capabilities; c.Bounding != 1<<29|1<<5|1<<10 || c.Ambient != 0 {
		t.Errorf("capabilities are %+v", c)
	}
}

func TestConvertRefuses(t *testing.T) {
	for want, m := range map[string]specs.Mount{
		"mounts[0].source: stat":             {Destination: "/x", Type: "bind", Source: "/does/not/exist"},
		"mounts[0].source: missing":          {Destination: "/x", Type: "bind"},
		`mounts[0].type: "overlay"`:          {Destination: "/x", Type: "overlay"},
		`mounts[0].options[1]: "frob"`:       {Destination: "/x", Type: "tmpfs", Options: []string{"ro", "frob"}},
		`mounts[0].options[0]: "rshared" of`: {Destination: "/x", Type: "bind", Source: "/", Options: []string{"rshared"}},
	} {
		s := change(func(s *specs.Spec) { s.Mounts, s.Linux.RootfsPropagation = []specs.Mount{m}, "rshared" })
		if _, err := Convert(s, bundle(t), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func TestSeccompProfile(t *testing.T) {
	errno := uint(38)
	prog, err := CompileSeccomp(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: &errno,
		Architectures: []specs.Arch{specs.ArchX86_64},
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "no_such_call"}, Action: specs.ActAllow},
			{Names: []string{"personality"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: 8, Op: specs.OpEqualTo}, {Index: 0, Value: 0, Op: specs.OpEqualTo}}},
			{Names: []string{"clone"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: 0x7e020000, ValueTwo: 0, Op: specs.OpMaskedEqual}}},
		},
	})
	if err != nil || len(prog) == 0 || len(prog)%8 != 0 {
		t.Errorf("%d bytes, %v", len(prog), err)
	}
	for want, p := range map[string]*specs.LinuxSeccomp{
		"defaultAction":       {DefaultAction: "SCMP_ACT_NOTIFY"},
		"listenerPath":        {DefaultAction: specs.ActAllow, ListenerPath: "/x"},
		"syscalls[0].action":  {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: "X"}}},
		"syscalls[0].args[0]": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "X"}}}}},
	} {
		if _, err := CompileSeccomp(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// FuzzConfig feeds arbitrary configurations through everything that reads
// them. What passes must give a plan that the boot process can read.
func FuzzConfig(f *testing.F) {
	for _, s := range []*specs.Spec{Template(), change(func(s *specs.Spec) { MakeRootless(s, 1, 2) })} {
		data, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/","consoleSize":{"height":1,"width":2},"terminal":true},"mounts":[{"destination":"/a","type":"bind","source":"/tmp","options":["ro","bind"]}]}`))
	f.Add([]byte(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/"},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]}}}`))
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		if Validate(s) != nil {
			return
		}
		p, err := Convert(s, dir, Options{ID: "fuzz", Network: boot.NetworkNone})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if _, err := p.Boot.Encode(); err != nil {
			t.Error(err)
		}
	})
}
