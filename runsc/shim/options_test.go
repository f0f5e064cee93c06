package shim

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	any, err := pack(m)
	if err != nil {
		t.Fatal(err)
	}
	return any
}

func TestOptions(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		o, err := readOptions(nil, "k8s.io")
		if err != nil || o.Binary != "runsc" || o.Root != "/run/containerd/runsc/k8s.io" || len(o.Flags) != 0 {
			t.Errorf("they are %+v, %v", o, err)
		}
	})
	t.Run("of runc", func(t *testing.T) {
		o, err := readOptions(packed(t, &runcoptions.Options{BinaryName: "/opt/runsc", Root: "/r", SystemdCgroup: true, NoPivotRoot: true}), "n")
		if err != nil || o.Binary != "/opt/runsc" || o.Root != "/r/n" || !o.SystemdCgroup || !o.NoPivotRoot {
			t.Errorf("they are %+v, %v", o, err)
		}
		if o, err := readOptions(packed(t, &runcoptions.Options{IoUid: 1, IoGid: 2}), "n"); err != nil || o.IOUID != 1 || o.IOGID != 2 {
			t.Errorf("io_uid and io_gid are %+v, %v", o, err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "runsc.toml")
		text := "binary_name = \"x\"\nroot = \"/y\"\n[runsc_config]\nplatform = \"ptrace\"\ndebug = true\n"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o, err := readOptions(packed(t, &runtimeoptions.Options{ConfigPath: path}), "n")
		if err != nil || o.Binary != "x" || o.Root != "/y/n" || !slices.Equal(o.Flags, []string{"--debug=true", "--platform=ptrace"}) {
			t.Errorf("they are %+v, %v", o, err)
		}
	})
	t.Run("of containerd before 1.7", func(t *testing.T) {
		any := packed(t, &runtimeoptions.Options{ConfigBody: []byte("root = \"/z\"")})
		any.TypeUrl = "cri.runtimeoptions.v1.Options"
		if o, err := readOptions(any, "n"); err != nil || o.Root != "/z/n" {
			t.Errorf("they are %+v, %v", o, err)
		}
	})
	t.Run("unknown or broken ones are errors", func(t *testing.T) {
		for _, any := range []*anypb.Any{
			{TypeUrl: "windows.Options"},
			packed(t, &runtimeoptions.Options{ConfigPath: "/does/not/exist"}),
			packed(t, &runtimeoptions.Options{ConfigBody: []byte("root = [")}),
			packed(t, &runtimeoptions.Options{ConfigBody: []byte("[runsc_config]\nplatform = [1]")}),
		} {
			if o, err := readOptions(any, "n"); err == nil {
				t.Errorf("%v: they are %+v", any, o)
			}
		}
	})
	t.Run("are kept in the bundle", func(t *testing.T) {
		dir := t.TempDir()
		o, err := readOptions(packed(t, &runcoptions.Options{BinaryName: "b", Root: "/r"}), "n")
		if err == nil {
			err = o.save(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		if back, err := loadOptions(dir, "n"); err != nil || back.Binary != "b" || back.Root != "/r/n" {
			t.Errorf("they are %+v, %v", back, err)
		}
	})
}

func TestCommonDir(t *testing.T) {
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{"/a/b/1/fs", "/a/b/2/fs"}, "/a/b"},
		{[]string{"/a/b/1/fs"}, "/a/b/1"},
		{[]string{"/a/1", "/b/1"}, "/"},
		{[]string{"/a/bc/1", "/a/b/1"}, "/a"},
	} {
		if got := commonDir(c.paths); got != c.want {
			t.Errorf("commonDir(%q) is %q, not %q", c.paths, got, c.want)
		}
	}
}
