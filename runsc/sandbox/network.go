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
