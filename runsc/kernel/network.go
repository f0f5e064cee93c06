package kernel

import (
	"fmt"

	"cordon/netstack"
	"cordon/runsc/boot"
	"cordon/runsc/network"

	"golang.org/x/sys/unix"
)

// attach is what the Sentry calls to have its stack complete.
func attach(sock int) func(*netstack.Stack) error {
	return func(stack *netstack.Stack) error {
		n, err := boot.ReceiveNetwork(sock)
		if err != nil {
			return err
		}
		return network.Attach(stack, n)
	}
}

// Connect is boot.Connecter's.
func (k kernel) Connect(l *boot.Link, fd int) error {
	stack := k.sentry.Stack()
	if stack == nil {
		unix.Close(fd)
		return fmt.Errorf("a sandbox on the host's network has no interfaces of its own")
	}
	for i := 0; l.Name == ""; i++ {
		name := fmt.Sprintf("eth%d", i)
		if _, taken := stack.InterfaceByName(name); !taken {
			l.Name = name
		}
	}
	n := network.None()
	l.FD = n.Add(fd)
	n.Links = []boot.Link{*l}
	if err := network.Attach(stack, n); err != nil {
		unix.Close(fd)
		return err
	}
	return nil
}
