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
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(p[0]), "network"), os.NewFile(uintptr(p[1]), "network"), nil
}

// sendNetwork asks for the network and hands it to the boot process.
func (s *Sandbox) sendNetwork(c *Config) error {
	if s.network == nil {
		return nil
	}
	defer s.network.Close()
	n, err := c.Network(s.BootPID)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	defer n.CloseFDs()
	if err := n.Send(int(s.network.Fd())); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}

// StartBroker executes `runsc net`, which opens the host's sockets for a sandbox, in a network namespace (empty: the
// caller's) and in namespaces of its own otherwise. spec is what it reads; files are its descriptors from number 5 on. It
// ends when the other end of the first of these does.
func StartBroker(netns string, attached bool, spec []byte, files []*os.File) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	mem, err := memFile("broker", spec)
	if err != nil {
		return err
	}
	defer mem.Close()
	attr, id := unprivilegedAttr()
	zone, errs := "CORDON_ZONE=net"+id, null
	if attached {
		zone += "+"
		errs = os.Stderr // one that is detached must not hold a client's pipe
	}
	all := append([]*os.File{null, null, errs, null, mem}, files...)
	p, err := startOnOwnThread(netns, []string{"runsc", "net"}, append(passedEnv(), zone), all, attr)
	if err != nil {
		return fmt.Errorf("starting the network broker: %w", err)
	}
	go p.Wait() // leaves no zombie to a caller that stays
	return nil
}
