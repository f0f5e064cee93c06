package oci

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// recorder is a hook that writes its name and its input.
func (w *world) recorder(name string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", fmt.Sprintf("{ echo %s; cat; echo; } >> %s/hooks", name, w.dir)}}
}

func TestHooks(t *testing.T) {
	w := newWorld(t)
	b := w.bundle("touch /ran", func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{
			Prestart:        []specs.Hook{w.recorder("prestart")},
			CreateRuntime:   []specs.Hook{w.recorder("createRuntime"), w.recorder("createRuntime2")},
			CreateContainer: []specs.Hook{w.recorder("createContainer")},
			StartContainer:  []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat > /hook"}, Env: []string{"PATH=/bin"}}},
			Poststart:       []specs.Hook{w.recorder("poststart")},
			Poststop:        []specs.Hook{w.recorder("poststop")},
		}
	})
	id := w.create(b)
	if _, err := os.Stat(filepath.Join(b, "rootfs/hook")); err == nil {
		t.Error("startContainer ran before start")
	}
	w.must("start", id)
	w.eventually("it ends", func() bool { return w.status(id).Status == "stopped" })
	w.must("delete", id)
	data, err := os.ReadFile(filepath.Join(w.dir, "hooks"))
	w.check(err)
	var names, statuses []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "{") {
			var s specs.State
			w.check(json.Unmarshal([]byte(line), &s))
			if s.ID != id || s.Bundle != b {
				t.Errorf("a hook was told %s", line)
			}
			statuses = append(statuses, string(s.Status))
		} else if line != "" {
			names = append(names, line)
		}
	}
	if want := []string{"prestart", "createRuntime", "createRuntime2", "createContainer", "poststart", "poststop"}; !slices.Equal(names, want) {
		t.Errorf("hooks ran as %v", names)
	}
	if len(statuses) != 6 || statuses[5] != "stopped" {
		t.Errorf("they were told %v", statuses)
	}
	data, err = os.ReadFile(filepath.Join(b, "rootfs/hook"))
	var s specs.State
	if err != nil || json.Unmarshal(data, &s) != nil || s.ID != id {
		t.Errorf("startContainer was told %q, %v", data, err)
	}
}

func TestFailingHooks(t *testing.T) {
	w := newWorld(t)
	bad := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo words; exit 1"}}}
	second := 1
	for name, h := range map[string]*specs.Hooks{
		"prestart":        {Prestart: bad},
		"createRuntime":   {CreateRuntime: bad},
		"createContainer": {CreateContainer: bad},
		"not there":       {CreateRuntime: []specs.Hook{{Path: "/not/there"}}},
		"too long":        {CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "exec sleep 20"}, Timeout: &second}}},
	} {
		id := w.id()
		h.Poststop = []specs.Hook{w.recorder("poststop-" + strings.ReplaceAll(name, " ", "-"))}
		r := w.run("create", "--bundle", w.bundle("true", func(s *specs.Spec) { s.Hooks = h }), id)
		if r.code == 0 {
			t.Errorf("%s: %s", name, r)
		}
		w.fails("does not exist", "state", id)
	}
	// In the container it fails the start.
	b := w.bundle("touch /ran", func(s *specs.Spec) { s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/false"}}} })
	id := w.create(b)
	w.run("start", id) // runc only sees later that it fails
	w.eventually("it is stopped", func() bool { return w.status(id).Status == "stopped" })
	if _, err := os.Stat(filepath.Join(b, "rootfs/ran")); err == nil {
		t.Error("the program ran after a hook that failed")
	}
}
