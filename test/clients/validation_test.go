package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// The validation programs of the OCI's runtime-tools run as they are, under runc
// and under runsc: what runc passes here, runsc passes, too.

const (
	toolsModule  = "github.com/opencontainers/runtime-tools"
	toolsVersion = "v0.9.1-0.20260316125833-8a4db579f5c8"

	// validationTimeout bounds one program; some wait for ten seconds and more.
	validationTimeout = 90 * time.Second
	// validationTries is how often a program that passes with runc may run until it
	// does here: some send a signal to a program that may not have asked for it yet.
	validationTries = 3
)

// hostSide are programs that compare the namespaces of the container's process on
// the host. Its namespaces are the wall around the Sentry, and are new whatever the
// configuration says.
var hostSide = map[string]bool{"linux_ns_itype": true, "linux_ns_path": true}

// byChance are programs that pass or not as it happens: this one kills a program
// that may have ended.
var byChance = map[string]bool{"pidfile": true}

// validationPrograms returns a directory with the programs and what they need beside
// them: a root file system, and the program that looks around in the container.
func validationPrograms(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("nowhere to build the validation programs: %v", err)
	}
	dir := filepath.Join(cache, "cordon-clients", "runtime-tools-"+toolsVersion)
	root := "rootfs-" + goruntime.GOARCH + ".tar.gz"
	if _, err := os.Stat(filepath.Join(dir, root)); err == nil {
		return dir
	}
	tool := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOBIN="+dir, "GOFLAGS=")
		cmd.Dir = t.TempDir() // outside of this module
		out, err := cmd.Output()
		if err != nil {
			t.Skipf("the validation programs cannot be built here: go %s: %v", args[0], err)
		}
		return out
	}
	t.Logf("building the validation programs of %s", toolsModule)
	var module struct{ Dir string }
	if err := json.Unmarshal(tool("mod", "download", "-json", toolsModule+"@"+toolsVersion), &module); err != nil {
		t.Fatal(err)
	}
	tool("install", "-ldflags", "-s -w", toolsModule+"/validation/...@"+toolsVersion, toolsModule+"/cmd/runtimetest@"+toolsVersion)
	// Last, so that what was not built to its end is built again.
	data, err := os.ReadFile(filepath.Join(module.Dir, root))
	if err != nil {
		t.Skipf("runtime-tools has no root file system for %s", goruntime.GOARCH)
	}
	if err := os.WriteFile(filepath.Join(dir, root), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A verdict is how a program of the suite ended.
type verdict struct {
	passed bool
	text   string
}

// validate runs every program with a runtime.
func (w *world) validate(tools, binary string, programs []string) (map[string]verdict, error) {
	place := filepath.Join(w.dir, filepath.Base(binary))
	for _, d := range []string{"state", "tmp"} {
		if err := os.MkdirAll(filepath.Join(place, d), 0o755); err != nil {
			return nil, err
		}
	}
	script := filepath.Join(place, "runtime")
	text := fmt.Sprintf("#!/bin/sh\nexec %s --root %s/state \"$@\"\n", binary, place)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return nil, err
	}
	all := map[string]verdict{}
	for _, p := range programs {
		run := fmt.Sprintf("cd %s && RUNTIME=%s TMPDIR=%s/tmp exec %s", tools, script, place, filepath.Join(tools, p))
		r, err := w.try(validationTimeout, "", "sh", "-c", run)
		failed := err != nil || r.code != 0 || strings.Contains("\n"+r.stdout, "\nnot ok")
		all[p] = verdict{!failed, fmt.Sprintf("%v: %v", r, err)}
		// A program that fails leaves its container.
		clear := fmt.Sprintf("for c in $(%[1]s list -q); do %[1]s delete -f $c; done", script)
		if filepath.Base(binary) == "runc" { // without a mount namespace of the container's it mounts in its own
			clear += fmt.Sprintf("; grep -o ' %s/tmp/[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l", place)
		}
		left, err := w.try(commandTimeout, "", "sh", "-c", clear)
		if err != nil {
			return nil, fmt.Errorf("clearing away after %s: %v: %w", p, left, err)
		}
	}
	return all, nil
}

// validationList are the names of the programs.
func validationList(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "runtimetest" && !strings.HasPrefix(e.Name(), "rootfs-") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestValidation(t *testing.T) {
	w := newWorld(t)
	w.need("runc", "tar", "unshare")
	tools := validationPrograms(t)
	programs := validationList(t, tools)
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Fatal(err)
	}
	var theirs, ours map[string]verdict
	var err1, err2 error
	var wg sync.WaitGroup
	wg.Go(func() { theirs, err1 = w.validate(tools, runc, programs) })
	wg.Go(func() { ours, err2 = w.validate(tools, w.runsc, programs) })
	wg.Wait()
	for range validationTries - 1 {
		var again []string
		for _, p := range programs {
			if theirs[p].passed && !ours[p].passed && !hostSide[p] && !byChance[p] {
				again = append(again, p)
			}
		}
		if err1 != nil || err2 != nil {
			break
		}
		var more map[string]verdict
		more, err2 = w.validate(tools, w.runsc, again)
		maps.Copy(ours, more)
	}
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	compareVerdicts(t, programs, theirs, ours)
}

// compareVerdicts fails where runsc does not pass what runc does.
func compareVerdicts(t *testing.T, programs []string, theirs, ours map[string]verdict) {
	count := [2]int{}
	for _, p := range programs {
		for i, v := range []verdict{theirs[p], ours[p]} {
			if v.passed && !byChance[p] {
				count[i]++
			}
		}
		switch {
		case byChance[p]:
		case theirs[p].passed && !ours[p].passed && hostSide[p]:
			t.Logf("%s: not as with runc, on purpose", p)
		case theirs[p].passed && !ours[p].passed:
			t.Errorf("%s passes with runc, not with runsc: %s", p, ours[p].text)
		case ours[p].passed && !theirs[p].passed:
			t.Logf("%s passes with runsc, not with runc", p)
		}
	}
	t.Logf("of %d programs runc passes %d, runsc %d", len(programs), count[0], count[1])
	if len(programs) == 0 || count[1] < count[0] {
		t.Errorf("of %d programs runc passes %d, runsc %d", len(programs), count[0], count[1])
	}
}
