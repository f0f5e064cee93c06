package clients

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// criToolsVersion is the release of Kubernetes' conformance suite for runtimes
// that is run. The Go tool builds it, once.
const criToolsVersion = "v1.30.0"

// critestTimeout bounds a whole run.
const critestTimeout = 12 * time.Minute

// critest returns the suite's program.
func critest(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CRITEST"); path != "" {
		return path
	}
	if os.Geteuid() != 0 || *runscFlag == "" && os.Getenv("CLIENTS") == "" {
		return "" // newWorld says why it skips
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("nowhere to build critest: %v", err)
	}
	path := filepath.Join(cache, "cordon-clients", "critest-"+criToolsVersion)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	t.Logf("building critest %s", criToolsVersion)
	if err := buildCritest(t.Context(), t.TempDir(), path); err != nil {
		t.Skipf("critest %s cannot be built here: %v", criToolsVersion, err)
	}
	return path
}

// buildCritest builds the suite in a copy of its module: it is a module's main
// program with replacements, which `go install` refuses.
func buildCritest(ctx context.Context, dir, path string) error {
	env := append(os.Environ(), "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	run := func(in string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env, cmd.Dir = env, in
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("go %s: %w: %s", args[0], err, clip(string(out)))
		}
		return string(out), err
	}
	const module = "sigs.k8s.io/cri-tools"
	if _, err := run(dir, "mod", "download", module+"@"+criToolsVersion); err != nil {
		return err
	}
	mods, err := run(dir, "env", "GOMODCACHE")
	if err != nil {
		return err
	}
	src := filepath.Join(dir, "src")
	if err := os.CopyFS(src, os.DirFS(filepath.Join(strings.TrimSpace(mods), module+"@"+criToolsVersion))); err != nil {
		return err
	}
	// The module's archive has a list of vendored modules without the modules.
	if err := os.RemoveAll(filepath.Join(src, "vendor")); err != nil {
		return err
	}
	_, err = run(src, "test", "-c", "-o", path, "./cmd/critest")
	return err
}

// Names of images in the suite.
const (
	e2eImages = "registry.k8s.io/e2e-test-images/"
	criImages = "gcr.io/k8s-staging-cri-tools/"
)

// critestImages makes the images that the suite's pods run: no registry is
// asked.
func (w *world) critestImages() string {
	w.Helper()
	root := w.rootfs()
	for path, text := range map[string]string{
		"etc/passwd":  "root:x:0:0:root:/root:/bin/sh\ndefault-user:x:1000:1000:user:/home/user:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
		"etc/group":   "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\ngroup-defined-in-image:x:50000:default-user\n",
		"var/run/new": "",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.Fatal(err)
		}
		w.write(path, text)
	}
	program := filepath.Join(w.dir, "program")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		w.Fatalf("go build: %v: %s", err, out)
	}
	for _, name := range []string{"nginx", "ipcs", "nonewprivs"} {
		w.copyFile(program, filepath.Join(root, "bin", name), 0o755)
	}
	if err := os.Chmod(filepath.Join(root, "bin/nonewprivs"), 0o755|os.ModeSetuid); err != nil {
		w.Fatal(err)
	}
	pgrep := filepath.Join(root, "bin/pgrep") // Debian's busybox has none
	w.write(pgrep, "#!/bin/sh\nexec pidof \"$1\"\n")
	if err := os.Chmod(pgrep, 0o755); err != nil {
		w.Fatal(err)
	}
	// A program is masked that is busybox under another name, which would mask busybox.
	if err := os.Remove(filepath.Join(root, "bin/ls")); err != nil {
		w.Fatal(err)
	}
	w.copyFile(filepath.Join(root, "bin/busybox"), filepath.Join(root, "bin/ls"), 0o755)
	web := func(port string) []string { return []string{"nginx", port} }
	shell := []string{"sh"}
	path := filepath.Join(w.dir, "critest.tar")
	w.archive(path,
		image{name: e2eImages + "busybox:1.29-2", root: root, cmd: shell},
		image{name: e2eImages + "nginx:1.14-2", root: root, cmd: web("80")},
		image{name: e2eImages + "httpd:2.4.39-4", root: root, cmd: web("80")},
		image{name: e2eImages + "nonewprivs:1.3", root: root, cmd: []string{"nonewprivs"}},
		image{name: criImages + "hostnet-nginx-amd64:latest", root: root, cmd: web("12003")},
		image{name: criImages + "test-image-predefined-group:latest", root: root, cmd: shell, user: "1000"},
	)
	return path
}

// critestSkip are specifications that say nothing of a runtime: images of a
// registry, which are containerd's, and times.
const critestSkip = "Image Manager|benchmark"

// An ending is how one specification ended: passed, skipped, or what failed.
type ending string

// critest runs the suite with a runtime.
func (k *kubelet) critest(program string) map[string]ending {
	k.Helper()
	k.must(k.ctr, "--address", k.address, "--namespace", "k8s.io", "images", "import", k.critestImages())
	report := filepath.Join(k.dir, "report.xml")
	tmp := filepath.Join(k.dir, "tmp")
	if err := os.Mkdir(tmp, 0o1777); err != nil {
		k.Fatal(err)
	}
	defer func() {
		// What failed may leave them.
		k.clearPods()
		for point := range k.mounts() {
			if strings.HasPrefix(point, tmp+"/") {
				k.must("umount", "-l", point)
			}
		}
	}()
	r, err := k.try(critestTimeout, "", "env", "TMPDIR="+tmp, program, "--runtime-endpoint", "unix://"+k.address, "--runtime-handler", k.handler,
		"--ginkgo.skip", critestSkip, "--ginkgo.no-color", "--ginkgo.junit-report", report, "--ginkgo.timeout", "11m")
	if err != nil {
		k.Fatal(err)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		k.Fatalf("no report: %v: %v", err, r)
	}
	var suite struct {
		Suites []struct {
			Cases []struct {
				Name    string `xml:"name,attr"`
				Status  string `xml:"status,attr"`
				Failure struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suite); err != nil {
		k.Fatal(err)
	}
	all := map[string]ending{}
	for _, s := range suite.Suites {
		for _, c := range s.Cases {
			name, is := strings.CutPrefix(c.Name, "[It] ")
			if !is {
				continue
			}
			v := ending(c.Status)
			if c.Failure.Message != "" {
				v = ending(c.Status + ": " + c.Failure.Message)
			}
			all[strings.TrimPrefix(name, "[k8s.io] ")] = v
		}
	}
	return all
}

// critestDiffers are specifications that runc passes and runsc does not, with the
// reason; docs/clients.md has to have them, too. There is none.
var critestDiffers = map[string]string{}

// TestCritest runs what Kubernetes asks of a runtime through the CRI, with runc and
// with runsc in its two ways: what runc passes here, runsc passes.
func TestCritest(t *testing.T) { compareCritest(t, containerd2(t)) }

// TestCritestContainerd1 is TestCritest with Debian's containerd, which has version 1
// of the CRI as well.
func TestCritestContainerd1(t *testing.T) { compareCritest(t, "") }

// compareCritest runs the suite with the containerd of a directory, the host's for an
// empty one.
func compareCritest(t *testing.T, bin string) {
	t.Helper()
	program := critest(t)
	results := map[string]map[string]ending{}
	t.Run("suite", func(t *testing.T) {
		for _, handler := range []string{"runc", "runsc", "plain"} {
			all := map[string]ending{}
			results[handler] = all
			t.Run(handler, func(t *testing.T) {
				t.Parallel() // much of it is waiting
				k := newKubelet(t, bin)
				if handler == "runc" {
					k.need("runc")
				}
				k.handler = handler
				maps.Copy(all, k.critest(program))
			})
		}
	})
	if len(results["runc"]) == 0 || len(results["runsc"]) == 0 {
		t.Skip("there is nothing to compare with")
	}
	const passed = "passed"
	for _, handler := range []string{"runsc", "plain"} {
		n, m := 0, 0
		for _, name := range slices.Sorted(maps.Keys(results["runc"])) {
			theirs, ours := results["runc"][name], results[handler][name]
			why, known := critestDiffers[name]
			switch {
			case ours == passed && known && theirs == passed:
				t.Errorf("%s passes %q, which is said to differ: %s", handler, name, why)
			case theirs == passed && ours != passed && !known:
				t.Errorf("%s: %q: %s; runc passes it", handler, name, ours)
			case theirs != passed && theirs != "skipped":
				t.Logf("runc: %q: %.400s (%s: %.40s)", name, theirs, handler, ours)
			}
			if ours == passed {
				n++
			}
			if theirs == passed {
				m++
			}
		}
		t.Logf("%s passes %d specifications, runc %d", handler, n, m)
	}
}
