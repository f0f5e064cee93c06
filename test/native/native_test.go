package native

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"cordon/test/prog"
)

var (
	record  = flag.Bool("record", false, "run the programs on this host and write want/")
	onHost  = flag.Bool("host", false, "check this host against want/")
	only    = flag.String("only", "", "run only programs whose name matches this expression")
	runsc   = flag.String("runsc", "../../bin/runsc", "the runsc to test")
	seed    = flag.Uint64("seed", 1, "the seed of sim's schedule")
	verbose = flag.Bool("show", false, "print the traces")
)

// A program that has not ended after this many seconds is ended; the whole of
// a run after suiteTime.
const (
	programSeconds = "10"
	suiteTime      = 5 * time.Minute
)

func load(t *testing.T) []*prog.Program {
	t.Helper()
	all, err := prog.Load(os.DirFS("../prog"))
	if err != nil {
		t.Fatal(err)
	}
	if *only == "" {
		return all
	}
	re := regexp.MustCompile(*only)
	var some []*prog.Program
	for _, p := range all {
		if re.MatchString(p.Name) {
			some = append(some, p)
		}
	}
	return some
}

// setUp builds the interpreter and the bundle in a directory that everybody
// may enter.
func setUp(t *testing.T, programs []*prog.Program, place string) (vm, bundle, base string) {
	t.Helper()
	dir, err := os.MkdirTemp(place, "prog")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	vm, bundle, base = filepath.Join(dir, "vm"), filepath.Join(dir, "bundle"), filepath.Join(dir, "run")
	cc := exec.Command("gcc", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-no-pie",
		"-mno-red-zone", "-O1", "-o", vm, "../prog/interp/vm.c")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	if err := os.WriteFile(bundle, prog.Bundle(programs), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(base, 0o755); err != nil {
		t.Fatal(err)
	}
	return vm, bundle, base
}

// scratch is a place on a tmpfs where there is one.
func scratch() string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return os.TempDir()
}

// run runs a command that writes runs, and returns each program's trace.
func run(t *testing.T, programs []*prog.Program, name string, args ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runErr := cmd.Run()
	runs, err := prog.ReadRuns(out.Bytes())
	if runErr != nil || err != nil {
		t.Errorf("%s: %v, %v; %d of %d programs\n%s", filepath.Base(name), runErr, err, len(runs), len(programs), tail(errs.String()))
	}
	traces := map[string]string{}
	for k := range runs {
		if p := programs[runs[k].Index]; p != nil {
			traces[p.Name] = p.Format(&runs[k])
		}
	}
	return traces
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// host runs the programs natively, in namespaces of their own.
func host(t *testing.T, programs []*prog.Program) map[string]string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	vm, bundle, base := setUp(t, programs, scratch())
	return run(t, programs, "unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--net", "--ipc", "--uts", vm, bundle, base, programSeconds)
}

func wantFile(name string) string { return filepath.Join("want", name+".txt") }

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("without -record")
	}
	programs := load(t)
	got := host(t, programs)
	again := host(t, programs)
	for _, p := range programs {
		if got[p.Name] != again[p.Name] {
			t.Errorf("%s: two runs on the host differ:\n%s", p.Name, diff(got[p.Name], again[p.Name]))
		}
		if strings.Contains(got[p.Name], "end: no end in time") {
			t.Errorf("%s: no end in time\n%s", p.Name, got[p.Name])
		}
		if err := os.MkdirAll(filepath.Dir(wantFile(p.Name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(wantFile(p.Name), []byte(got[p.Name]), 0o644); err != nil {
			t.Fatal(err)
		}
		if *verbose {
			fmt.Printf("=== %s\n%s", p.Name, got[p.Name])
		}
	}
}

func TestHost(t *testing.T) {
	if !*onHost {
		t.Skip("without -host")
	}
	programs := load(t)
	compare(t, programs, host(t, programs), nil)
}

func TestPtrace(t *testing.T) { testPlatform(t, "ptrace") }

func TestSystrap(t *testing.T) { testPlatform(t, "systrap") }

// testPlatform compares what programs do in a sandbox with the record.
func testPlatform(t *testing.T, platform string) {
	if *record || *onHost {
		t.Skip("the host is meant")
	}
	if _, err := os.Stat(*runsc); err != nil {
		t.Skip("no runsc: make build")
	}
	bin, err := filepath.Abs(*runsc)
	if err != nil {
		t.Fatal(err)
	}
	programs := load(t)
	vm, bundle, _ := setUp(t, programs, "/var/tmp")
	root := t.TempDir()
	got := run(t, programs, bin, "--root", root, "--platform", platform, "do", "--", vm, bundle, "/dev/shm", programSeconds)
	compare(t, programs, got, knownIn(t, "known.txt"))
}

// knownIn reads a list of known differences.
func knownIn(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, reason, _ := strings.Cut(line, ": ")
		if reason == "" {
			t.Errorf("%s: %s has no reason", file, name)
		}
		m[name] = reason
	}
	return m
}

// compare compares traces with the record.
func compare(t *testing.T, programs []*prog.Program, got map[string]string, known map[string]string) {
	agree := 0
	for _, p := range programs {
		t.Run(p.Name, func(t *testing.T) {
			want, err := os.ReadFile(wantFile(p.Name))
			if err != nil {
				t.Fatal(err)
			}
			g, ran := got[p.Name]
			if *verbose {
				fmt.Printf("=== %s\n%s", p.Name, g)
			}
			same := ran && g == string(want)
			if same {
				agree++
			}
			switch reason, listed := known[p.Name]; {
			case listed && same:
				t.Errorf("agrees with the host: take it out of the list (%s)", reason)
			case !ran && !listed:
				t.Errorf("did not run")
			case !listed && !same:
				t.Errorf("differs from the host (-want +got):\n%s", diff(string(want), g))
			}
		})
		delete(known, p.Name)
	}
	t.Logf("%d of %d programs agree with the host", agree, len(programs))
	if *only == "" {
		for _, name := range sorted(known) {
			t.Errorf("a list of known differences names %s, which is no program", name)
		}
	}
}

func sorted(m map[string]string) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// diff shows the lines that differ, each with its task.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	// Longest common subsequence; traces are short.
	n, m := len(w), len(g)
	l := make([][]int, n+1)
	for k := range l {
		l[k] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if w[i] == g[j] {
				l[i][j] = l[i+1][j+1] + 1
			} else {
				l[i][j] = max(l[i+1][j], l[i][j+1])
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && j < m && w[i] == g[j]:
			if strings.HasPrefix(w[i], "task") {
				fmt.Fprintln(&out, " "+w[i])
			}
			i, j = i+1, j+1
		case i < n && (j == m || l[i+1][j] >= l[i][j+1]):
			fmt.Fprintln(&out, "-"+w[i])
			i++
		default:
			fmt.Fprintln(&out, "+"+g[j])
			j++
		}
	}
	return out.String()
}
