package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// networkSocket makes what the boot process gets its network from: nil where there is none to come.
func networkSocket(c *Config) (ours, theirs *os.File, err error) {
	if c.Network == nil {
		return nil, nil, nil
	}
	return socketPair(unix.SOCK_SEQPACKET, "network")
}

// sendNetwork asks for the network of the namespace that a process is in and hands it to the boot process.
func (s *Sandbox) sendNetwork(c *Config, pid int) error {
	if s.network == nil {
		return nil
	}
	defer s.network.Close()
	n, err := c.Network(pid)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	defer n.CloseFDs()
	if err := n.Send(int(s.network.Fd())); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}

// A Helper is a process of this binary without rights, beside a sandbox's two.
type Helper struct {
	// Name is its command: "net", which opens the host's sockets, or "switch".
	Name string
	// Spec is what it reads, Files are its descriptors from number 5 on.
	Spec  []byte
	Files []*os.File
	// NetNS is the network namespace that it runs in; empty is the caller's, and with OwnNetwork
	// it has one of its own.
	NetNS      string
	OwnNetwork bool
	// Attached ends it with this process.
	Attached bool
}

// StartHelper executes a helper in namespaces of its own. What ends it is its own matter.
func StartHelper(h *Helper) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	mem, err := memFile(h.Name, h.Spec)
	if err != nil {
		return err
	}
	defer mem.Close()
	attr, id := unprivilegedAttr()
	if h.OwnNetwork {
		attr.Cloneflags |= unix.CLONE_NEWNET
	}
	zone, errs := "CORDON_ZONE=net"+id, null
	if h.Attached {
		zone += "+"
		errs = os.Stderr // one that is detached must not hold a client's pipe
	}
	all := append([]*os.File{null, null, errs, null, mem}, h.Files...)
	p, err := startOnOwnThread(h.NetNS, []string{"runsc", h.Name}, append(passedEnv(), zone), all, attr)
	if err != nil {
		return fmt.Errorf("starting runsc %s: %w", h.Name, err)
	}
	go p.Wait() // leaves no zombie to a caller that stays
	return nil
}
