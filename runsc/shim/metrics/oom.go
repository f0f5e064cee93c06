package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// WatchOOM calls f whenever the kernel finds the memory cgroup of a process out
// of memory, with how often it has since, until the cgroup is removed or stop is called.
func WatchOOM(pid int, f func(times uint64)) (stop func(), err error) {
	dir, v, err := memoryCgroup(pid)
	if err != nil {
		return nil, err
	}
	if v == V2 {
		return watchEvents(dir, f)
	}
	return watchControl(dir, f)
}

// memoryCgroup finds the directory of a process's memory controller.
func memoryCgroup(pid int) (dir string, v Version, err error) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", 0, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", 0, err
	}
	var one, two string
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		switch {
		case f[0] == "0" && f[1] == "":
			two = f[2]
		case hasWord(f[1], "memory"):
			one = f[2]
		}
	}
	for line := range strings.Lines(string(mounts)) {
		head, tail, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(head), strings.Fields(tail)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		switch {
		case one != "" && g[0] == "cgroup" && hasWord(g[2], "memory"):
			return filepath.Join(f[4], below(one, f[3])), V1, nil
		case one == "" && two != "" && g[0] == "cgroup2":
			return filepath.Join(f[4], below(two, f[3])), V2, nil
		}
	}
	return "", 0, errors.New("no memory cgroup")
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// below is a cgroup's path under a mount that shows root as its top.
func below(path, root string) string {
	if root == "/" {
		return path
	}
	return strings.TrimPrefix(path, root)
}

// watchControl waits on an eventfd of memory.oom_control. Linux:
// Documentation/admin-guide/cgroup-v1/memory.rst, section 9.
func watchControl(dir string, f func(uint64)) (stop func(), err error) {
	control, err := os.Open(filepath.Join(dir, "memory.oom_control"))
	if err != nil {
		return nil, err
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	event := os.NewFile(uintptr(fd), "oom")
	register := []byte(fmt.Sprintf("%d %d", event.Fd(), control.Fd()))
	if err := os.WriteFile(filepath.Join(dir, "cgroup.event_control"), register, 0); err != nil {
		event.Close()
		return nil, err
	}
	// Fd has made it block.
	if err := unix.SetNonblock(fd, true); err != nil {
		event.Close()
		return nil, err
	}
	go func() {
		count, total := make([]byte, 8), uint64(0)
		for {
			if _, err := event.Read(count); err != nil {
				return
			}
			// The removal of the cgroup is told too.
			if _, err := os.Lstat(filepath.Join(dir, "cgroup.event_control")); err != nil {
				event.Close()
				return
			}
			total += binary.NativeEndian.Uint64(count)
			f(total)
		}
	}()
	return func() { event.Close() }, nil
}

// watchEvents waits for oom_kill of memory.events to grow.
func watchEvents(dir string, f func(uint64)) (stop func(), err error) {
	path := filepath.Join(dir, "memory.events")
	before, err := oomKills(path)
	if err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	watch := os.NewFile(uintptr(fd), "oom")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		watch.Close()
		return nil, err
	}
	go func() {
		events, seen := make([]byte, 4096), before
		for {
			n, err := watch.Read(events)
			if err != nil {
				return
			}
			now, err := oomKills(path)
			if err != nil || ignored(events[:n]) {
				watch.Close()
				return
			}
			if now > seen {
				seen = now
				f(now - before)
			}
		}
	}()
	return func() { watch.Close() }, nil
}

// ignored reports whether the file watched is gone.
func ignored(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		if mask&unix.IN_IGNORED != 0 {
			return true
		}
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		events = events[min(size, len(events)):]
	}
	return false
}

func oomKills(path string) (uint64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return strconv.ParseUint(n, 10, 64)
		}
	}
	return 0, nil
}
