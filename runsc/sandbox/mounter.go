package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// MayMount reports whether this process has the rights to mount on the host.
func MayMount() bool { return mayKeep() }

// startMounter executes this binary as the mounter of a container (mounter.c), if it has
// a volume whose mounts are to come to the host, and returns the Sentry's end of its
// socket when it has its trees: nil where there is none. It ends when that is closed
// everywhere.
func startMounter(c *Config) (*os.File, error) {
	if !slices.ContainsFunc(c.Roots, func(r Root) bool { return r.ToHost }) {
		return nil, nil
	}
	t, err := newTether()
	if err != nil {
		return nil, err
	}
	defer t.closeOwn()
	defer t.closeChilds()
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET, "mounter")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	argv, names := []string{"runsc", "mounter"}, make([]string, len(c.Roots))
	for i, root := range c.Roots {
		argv, names[i] = append(argv, root.kind()+root.Path), root.Attach
	}
	env := []string{"CORDON_ZONE=mounter", "CORDON_TREES=" + strings.Join(names, ",")}
	attr := &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	p, err := startOnOwnThread("", argv, env, []*os.File{t.null, t.null, t.null, t.report, theirs}, attr)
	if err == nil {
		go p.Wait() // leaves no zombie to a caller that stays
		t.report.Close()
		err = readReport(t.ready)
	}
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("starting the mounter: %w", err)
	}
	return ours, nil
}
