package spec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// honoured says where each field of a configuration, with all below it, acts and is
// tested.
var honoured = map[string]string{
	"ociVersion":                  "TestValidateNamesTheField",
	"process":                     "test/oci TestProcess",
	"process.execCPUAffinity":     "process.go",
	"root":                        "test/oci TestMounts",
	"hostname":                    "test/oci TestProcess",
	"domainname":                  "test/oci TestProcess",
	"mounts":                      "test/oci TestMounts, TestBindMountsWithMountsBelow",
	"hooks":                       "test/oci TestHooks",
	"annotations":                 "test/oci: given to hooks in the state",
	"linux.uidMappings":           "test/oci, TestValidateNamesTheField",
	"linux.gidMappings":           "test/oci, TestValidateNamesTheField",
	"mounts.uidMappings":          "test/oci TestIDMappedMounts",
	"mounts.gidMappings":          "test/oci TestIDMappedMounts",
	"linux.sysctl":                "test/oci TestSysctlsOfIPC",
	"linux.resources":             "runsc/cgroup, test/limits",
	"linux.cgroupsPath":           "runsc/cgroup, test/clients",
	"linux.namespaces":            "test/oci, test/clients",
	"linux.devices":               "test/oci",
	"linux.seccomp":               "seccomp.go, test/oci",
	"linux.rootfsPropagation":     "propagation_test.go",
	"linux.maskedPaths":           "test/oci",
	"linux.readonlyPaths":         "test/oci",
	"linux.personality":           "test/oci",
	"linux.timeOffsets":           "test/oci TestTimeNamespace",
	"process.user.username":       "of another platform: ignored, as the specification says",
	"process.commandLine":         "of another platform: ignored, as the specification says",
	"process.scheduler.flags":     "process.go",
	"linux.resources.memory":      "runsc/cgroup",
	"linux.resources.devices":     "runsc/cgroup",
	"linux.resources.blockIO":     "runsc/cgroup",
	"linux.resources.rdma":        "runsc/cgroup",
	"linux.resources.unified":     "runsc/cgroup",
	"linux.resources.network":     "runsc/cgroup",
	"linux.seccomp.architectures": "seccomp.go",
}

// refused are fields that no sandbox has, each with a value and what the refusal
// says. Fields of warned have no effect, and a message says so.
var (
	refused = map[string][2]string{
		"linux.netDevices":               {`{"linux":{"netDevices":{"eth0":{}}}}`, "linux.netDevices"},
		"linux.intelRdt":                 {`{"linux":{"intelRdt":{}}}`, "linux.intelRdt"},
		"linux.memoryPolicy":             {`{"linux":{"memoryPolicy":{"mode":"MPOL_BIND"}}}`, "linux.memoryPolicy"},
		"linux.personality.flags":        {`{"linux":{"personality":{"domain":"LINUX","flags":["X"]}}}`, "linux.personality.flags"},
		"process.scheduler.runtime":      {`{"process":{"cwd":"/","args":["x"],"scheduler":{"policy":"SCHED_DEADLINE","runtime":1}}}`, "process.scheduler"},
		"process.scheduler.deadline":     {`{"process":{"cwd":"/","args":["x"],"scheduler":{"policy":"SCHED_DEADLINE","deadline":1}}}`, "process.scheduler"},
		"process.scheduler.period":       {`{"process":{"cwd":"/","args":["x"],"scheduler":{"policy":"SCHED_DEADLINE","period":1}}}`, "process.scheduler"},
		"linux.seccomp.listenerPath":     {`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}}}`, "linux.seccomp"},
		"linux.seccomp.listenerMetadata": {`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_NOTIFY","listenerMetadata":"x"}}}`, "linux.seccomp"},
		"solaris":                        {`{"solaris":{}}`, "another platform"},
		"windows":                        {`{"windows":{"layerFolders":[]}}`, "another platform"},
		"vm":                             {`{"vm":{"hypervisor":{"path":"/x"},"kernel":{"path":"/x"},"image":{"path":"/x","format":"raw"}}}`, "another platform"},
		"zos":                            {`{"zos":{}}`, "another platform"},
		"freebsd":                        {`{"freebsd":{}}`, "another platform"},
	}
	warned = map[string]string{
		"process.apparmorProfile": `{"process":{"cwd":"/","args":["x"],"apparmorProfile":"x"}}`,
		"process.selinuxLabel":    `{"process":{"cwd":"/","args":["x"],"selinuxLabel":"x"}}`,
		"linux.mountLabel":        `{"linux":{"mountLabel":"x"}}`,
	}
)

// fields calls f with every field that has none below it.
func fields(t reflect.Type, at string, f func(path string)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	_, last := refused[at]
	if t.Kind() != reflect.Struct || last {
		f(at)
		return
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			fields(field.Type, at, f)
		case at == "":
			fields(field.Type, name, f)
		default:
			fields(field.Type, at+"."+name, f)
		}
	}
}

func TestEveryFieldIsKnown(t *testing.T) {
	fields(reflect.TypeFor[specs.Spec](), "", func(path string) {
		for p := path; ; p = p[:strings.LastIndex(p, ".")] {
			_, no := refused[p]
			_, idle := warned[p]
			if no || idle || honoured[p] != "" {
				return
			}
			if p == "linux" || !strings.Contains(p, ".") {
				t.Errorf("%s is neither honoured nor refused: honour it or have Validate name it, and say so here", path)
				return
			}
		}
	})
}

func TestFieldsAreRefusedByName(t *testing.T) {
	for field, c := range refused {
		s := change(func(*specs.Spec) {})
		if err := json.Unmarshal([]byte(c[0]), s); err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		err := Validate(s)
		if err == nil {
			_, err = Convert(s, bundle(t), Options{ID: "x"})
		}
		if err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, not %q", field, err, c[1])
		}
	}
}

func TestFieldsWithoutEffectAreSaid(t *testing.T) {
	for field, text := range warned {
		s := change(func(*specs.Spec) {})
		if err := json.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		p, err := Convert(s, bundle(t), Options{ID: "x"})
		if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), field+":") {
			t.Errorf("%s: %v, %v", field, p, err)
		}
	}
}
