package sandbox

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// HostIPC says whether a sandbox is in the host's IPC namespace, and with what.
type HostIPC uint8

const (
	// OwnIPC is the sandbox's own IPC namespace.
	OwnIPC HostIPC = iota
	// SharedIPC is the host's, with the rights of each user.
	SharedIPC
	// SharedIPCOwner is the host's, for containers that may have CAP_IPC_OWNER.
	SharedIPCOwner
)

// startPorter executes this binary as the porter of a sandbox that is to be in the
// caller's IPC namespace (porter.c), and returns the Sentry's end of its socket: nil
// where there is none. It ends when that is closed everywhere.
func startPorter(c *Config) (*os.File, error) {
	if c.HostIPC == OwnIPC {
		return nil, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET, "porter")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	zone := "CORDON_ZONE=porter"
	if c.HostIPC == SharedIPCOwner {
		zone += ":owner"
	}
	p, err := startOnOwnThread("", []string{"runsc", "porter"}, []string{zone}, []*os.File{null, null, null, theirs}, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("starting the porter: %w", err)
	}
	go p.Wait() // leaves no zombie to a caller that stays
	return ours, nil
}

// IsHostIPC reports whether path is the IPC namespace that this process is in.
func IsHostIPC(path string) bool {
	if path == "" {
		return false
	}
	var a, b unix.Stat_t
	return unix.Stat(path, &a) == nil && unix.Stat("/proc/self/ns/ipc", &b) == nil && a.Ino == b.Ino && a.Dev == b.Dev
}
