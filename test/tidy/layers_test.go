package tidy

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

const module = "cordon/"

type goPackage struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
}

// packages is what go list says of the whole module.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Doc,GoFiles,CgoFiles,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// match reports how exactly pattern covers path: the length of what matches,
// or -1.
func match(pattern, path string) int {
	folder, tree := strings.CutSuffix(pattern, "...")
	if !tree {
		if pattern == path {
			return len(path) + 1
		}
		return -1
	}
	folder = strings.TrimSuffix(folder, "/")
	if folder == "" || path == folder || strings.HasPrefix(path, folder+"/") {
		return len(folder)
	}
	return -1
}

func matchAny(patterns, path string) bool {
	yes := false
	for _, p := range strings.Fields(patterns) {
		if not, ok := strings.CutPrefix(p, "!"); ok {
			if match(not, path) >= 0 {
				return false
			}
		} else if match(p, path) >= 0 {
			yes = true
		}
	}
	return yes
}

// level is the line of layers that path stands on, or -1.
func level(path string) int {
	best, line := -1, -1
	for i, l := range strings.Split(layers, "\n") {
		for _, p := range strings.Fields(l) {
			if m := match(p, path); m > best {
				best, line = m, i
			}
		}
	}
	return line
}

func TestLayers(t *testing.T) {
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, module)
		from := level(name)
		if from < 0 {
			t.Errorf("%s stands in no layer of test/tidy/layers.go", name)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			// runsc, cmd and test are programs: inside one of them the compiler's
			// ban on cycles is order enough.
			program := strings.Split(name, "/")[0] == strings.Split(to, "/")[0] &&
				matchAny("runsc/... cmd/... test/...", name)
			if ours && level(to) >= from && !program {
				t.Errorf("%s may not import %s: it is not below it", name, to)
			}
		}
		for _, r := range rules {
			if !matchAny(r.from, name) {
				continue
			}
			for _, imp := range p.Imports {
				if matchAny(r.imports, imp) {
					t.Errorf("%s may not import %s: %s", name, imp, r.because)
				}
			}
		}
	}
}

func TestLayerMatching(t *testing.T) {
	if level("sentry/fs/procfs") <= level("sentry/task") || level("sentry/fs/tmpfs") >= level("sentry/task") {
		t.Error("the most exact entry does not count")
	}
	if matchAny("sentry/... !sentry/vfs", "sentry/vfs") || !matchAny("sentry/...", "sentry") {
		t.Error("patterns do not match as described")
	}
	if level("nowhere") >= 0 {
		t.Error("an unknown package has a layer")
	}
}
