package clients

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// end stops the daemons and fails the test for what is left of it.
func (w *world) end() {
	if w.Failed() {
		w.dump("the test failed")
	}
	for len(*w.daemons) > 0 {
		(*w.daemons)[len(*w.daemons)-1].stop(syscall.SIGTERM)
	}
	if w.Failed() || w.Skipped() {
		// One failure says it; what is left follows from it.
		w.sweepCgroups()
		return
	}
	w.checkClean()
	w.sweepCgroups()
}

// checkClean fails the test when its containers have left anything.
func (w *world) checkClean() {
	w.Helper()
	w.gone("processes", w.processes)
	w.gone("mounts", w.newMounts)
	w.gone("cgroups", w.cgroups)
	w.gone("state directories", w.states)
}

// gone waits until list is empty, for a while.
func (w *world) gone(what string, list func() []string) {
	w.Helper()
	deadline := time.Now().Add(goneTimeout)
	for {
		left := list()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.Errorf("%d %s are left:\n%s", len(left), what, strings.Join(left, "\n"))
			w.dump("something is left")
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pids are those of all processes in the world beside its first, and of PID
// namespaces below, as the world's /proc names them.
func (w *world) pids() (pids []int) {
	entries, _ := os.ReadDir(w.root("/proc"))
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes describes what runs in the world. A zombie counts too.
func (w *world) processes() (list []string) {
	for _, pid := range w.pids() {
		if text := w.describe(pid); text != "" {
			list = append(list, text)
		}
	}
	return list
}

// describe is one line about a process, or nothing if it is gone.
func (w *world) describe(pid int) string {
	stat, err := os.ReadFile(w.root(fmt.Sprintf("/proc/%d/stat", pid)))
	if err != nil {
		return ""
	}
	cmdline, _ := os.ReadFile(w.root(fmt.Sprintf("/proc/%d/cmdline", pid)))
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return fmt.Sprintf("%d (parent %s, state %s, %s): %s", pid, f[1], f[0],
		stat[bytes.IndexByte(stat, '('):bytes.LastIndexByte(stat, ')')+1], strings.ReplaceAll(strings.TrimRight(string(cmdline), "\x00"), "\x00", " "))
}

// isDaemon reports whether a line of processes is about containerd itself.
func isDaemon(line string) bool {
	return strings.Contains(line, "(containerd):") || strings.Contains(line, "(containerd)):")
}

// mounts are the mount points of the world.
func (w *world) mounts() map[string]bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", w.holder.Process.Pid))
	if err != nil {
		w.Fatal(err)
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 {
			points[f[4]] = true
		}
	}
	return points
}

// newMounts are mounts that were not there at first and are not kept on
// purpose.
func (w *world) newMounts() (list []string) {
next:
	for p := range w.mounts() {
		if w.before[p] {
			continue
		}
		for _, k := range w.keep {
			if k.MatchString(p) {
				continue next
			}
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// cgroups are the directories of the cgroup file systems with the world's name.
func (w *world) cgroups() (list []string) {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case !d.IsDir():
			return nil
		case strings.Contains(d.Name(), w.name):
			list = append(list, nonEmptyParts(path)...)
			return fs.SkipDir
		}
		return nil
	})
	return list
}

// nonEmptyParts are the groups below path, which itself may be a parent that a
// client makes for its containers and keeps.
func nonEmptyParts(path string) (list []string) {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, filepath.Join(path, e.Name()))
		}
	}
	if procs, err := os.ReadFile(filepath.Join(path, "cgroup.procs")); err == nil && len(procs) > 0 {
		list = append(list, path)
	}
	return list
}

// sweepCgroups removes the world's cgroups from the host.
func (w *world) sweepCgroups() {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), w.name) {
			removeTree(path)
			return fs.SkipDir
		}
		return nil
	})
}

// staleCgroup are groups that a run of these tests leaves when it is killed, or when a suite in it is: those of worlds, with
// the number of the test's process, and those that critest has its pods be in.
var staleCgroup = regexp.MustCompile(`^(?:cordonclients([0-9]+)-[0-9]+|test\.slice:cri-containerd:[0-9a-f]+)$`)

// staleAge is how old a group is that nobody is going to move into any more.
const staleAge = time.Minute

// sweepStale removes what other runs have left and nobody is in.
func sweepStale() {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		m := staleCgroup.FindStringSubmatch(d.Name())
		if m == nil {
			return nil
		}
		info, err := d.Info()
		_, running := os.Stat("/proc/" + m[1])
		if err == nil && time.Since(info.ModTime()) > staleAge && (m[1] == "" || running != nil) {
			removeTree(path)
		}
		return fs.SkipDir
	})
}

// removeTree removes cgroups from the leaves up; those in use stay.
func removeTree(path string) {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if e.IsDir() {
			removeTree(filepath.Join(path, e.Name()))
		}
	}
	syscall.Rmdir(path)
}

// states are the directories of containers that runsc keeps.
func (w *world) states() (list []string) {
	for _, root := range []string{w.dir, w.root("/run")} {
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.Name() == "state.json" {
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), "control.sock")); err == nil {
					list = append(list, filepath.Dir(path))
				}
			}
			return nil
		})
	}
	return list
}

// dump logs what everybody is doing.
func (w *world) dump(why string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Processes:\n", why)
	for _, pid := range w.pids() {
		text := w.describe(pid)
		if text == "" || strings.Contains(text, "(cordon-stub)") {
			continue
		}
		wchan, _ := os.ReadFile(w.root(fmt.Sprintf("/proc/%d/wchan", pid)))
		stack, _ := os.ReadFile(w.root(fmt.Sprintf("/proc/%d/stack", pid)))
		fmt.Fprintf(&b, "  %s wchan=%s\n", text, wchan)
		if lines := strings.Split(string(stack), "\n"); len(lines) > 1 {
			fmt.Fprintf(&b, "      %s\n", strings.Join(lines[:min(len(lines)-1, 6)], " < "))
		}
	}
	for _, dir := range w.states() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		id := filepath.Base(dir)
		out, err := exec.CommandContext(ctx, w.runsc, "--root", filepath.Dir(dir), "debug", "ps", id).CombinedOutput()
		cancel()
		fmt.Fprintf(&b, "container %s: %v\n%s", id, err, clip(string(out)))
	}
	for _, d := range *w.daemons {
		// Go daemons write all goroutines' stacks into their log.
		d.signal(syscall.SIGUSR1)
	}
	time.Sleep(200 * time.Millisecond)
	for _, d := range *w.daemons {
		text := tail(d.log)
		if os.Getenv("CLIENTS_STACKS") == "" {
			text = withoutStacks(text)
		}
		fmt.Fprintf(&b, "log of %s:\n%s\n", d.name, text)
	}
	w.Log(b.String())
}

// withoutStacks leaves out the goroutine dump of a Go daemon's log, which hides
// the rest; CLIENTS_STACKS=1 shows it.
func withoutStacks(log string) string {
	lines := strings.SplitAfter(log, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		return strings.Contains(l, "=== BEGIN goroutine stack dump ===") || strings.Contains(l, "+0x")
	}), "")
}
