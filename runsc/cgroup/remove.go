package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errReadOnly is what a host answers that shows its control groups read-only.
const errReadOnly = syscall.EROFS

// removeTimeout is how long killed processes may take to leave a cgroup.
const removeTimeout = 5 * time.Second

// End removes the groups of a Record, which may be nil, whose directories are dirs.
// systemd is told first: a unit whose directory somebody else has removed stays.
func End(r *Record, dirs []string) error {
	if r != nil && r.Config != nil && r.Config.Systemd {
		if g, err := Load(r); err == nil && g.lib != nil {
			// It may have gone by itself with its last process, and systemd too.
			_ = g.lib.Destroy()
		}
	}
	return Remove(dirs)
}

// Remove removes cgroup directories, the last first, killing what is left
// inside. A directory that is not there is no error.
func Remove(dirs []string) error {
	for i := len(dirs) - 1; i >= 0; i-- {
		if parent, ok := strings.CutSuffix(dirs[i], parentMark); ok {
			// Someone else may use it by now.
			_ = syscall.Rmdir(parent)
			continue
		}
		if err := removeOne(dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

func removeOne(dir string) error {
	deadline := time.Now().Add(removeTimeout)
	for wait := time.Millisecond; ; wait *= 2 {
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("removing cgroup %s: processes in it do not end", dir)
		}
		killAll(dir)
		time.Sleep(wait)
	}
}

// reclaimAge is how old a group is that nobody is going to move into any more.
const reclaimAge = time.Minute

// reclaim removes the groups beside dirs that ForMemory made and that nobody is in.
func reclaim(dirs []string) {
	for _, dir := range dirs {
		entries, _ := os.ReadDir(filepath.Dir(dir)) // what cannot be read has nothing to reclaim
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), doPrefix) {
				continue
			}
			if info, err := e.Info(); err == nil && e.IsDir() && time.Since(info.ModTime()) > reclaimAge {
				_ = syscall.Rmdir(filepath.Join(filepath.Dir(dir), e.Name())) // in use: EBUSY
			}
		}
	}
}

// killAll kills the processes of a cgroup, which is ours alone.
func killAll(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for f := range strings.FieldsSeq(string(data)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			// Gone between the two: what we want.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
