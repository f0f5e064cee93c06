package sentry

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
	"cordon/sentry/socket"
	"cordon/sentry/socket/hostinet"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/socket/packet"
	"cordon/sentry/socket/unix"
	"cordon/sentry/task"
)

// assembleNetwork makes the first network namespace. With "none" its loopback
// interface is down; "sandbox" has it up and nothing else; "host" has the
// host's own sockets.
func (k *Kernel) assembleNetwork() error {
	if k.cfg.Network == "host" {
		k.sys.Sockets = socket.NewRegistry(unix.NewProvider(), hostinet.NewProvider(k.notifier), netlink.Provider{})
		k.spaces.Net = socket.NewHostNamespace(hostinet.Network{}, k.sys.UserNS)
		return nil
	}
	stack, err := k.newStack(k.cfg.Attach)
	if err != nil {
		return err
	}
	k.stack = stack
	if k.cfg.Attach != nil {
		k.lookOut()
	}
	k.sys.Sockets = socket.NewRegistry(unix.NewProvider(), inet.Provider{}, netlink.Provider{},
		packet.NewProvider(packet.MemoryFile{Memory: memmap.Memory{File: k.sys.Memory}}))
	first := k.sys.Sockets.NewNamespace(stack, k.sys.UserNS)
	first.First = true
	k.spaces.Net = first
	return nil
}

// newStack makes the stack of a container's own network namespace.
func (k *Kernel) newStack(attach func(*netstack.Stack) error) (*netstack.Stack, error) {
	stack, err := netstack.NewFrom(reader(k.random))
	if err != nil {
		return nil, &StartError{Message: "network stack: " + err.Error()}
	}
	if k.cfg.Network == "none" {
		if err := stack.SetUp(netstack.LoopbackIndex, false); err != nil {
			stack.Close()
			return nil, &StartError{Message: "network stack: " + err.Error()}
		}
	}
	if attach != nil {
		if err := attach(stack); err != nil {
			stack.Dispose()
			return nil, &StartError{Message: "network: " + err.Error()}
		}
	}
	return stack, nil
}

// containerNet makes the network namespace of a container that joins and shares none.
func (k *Kernel) containerNet(attach func(*netstack.Stack) error) (*socket.Namespace, error) {
	if k.cfg.Network == "host" {
		return nil, &StartError{Message: "linux.namespaces: network: a sandbox on the host's network has no other"}
	}
	if !k.sys.Sockets.MayAddNamespace() {
		return nil, &StartError{Message: "linux.namespaces: network: the sandbox has too many"}
	}
	stack, err := k.newStack(attach)
	if err != nil {
		return nil, err
	}
	return k.sys.Sockets.NewNamespace(stack, k.sys.UserNS), nil
}

// lookOut has tasks that go to sleep receive what comes from outside.
func (k *Kernel) lookOut() {
	k.sys.Lookout = func() task.Lookout {
		if l := k.stack.Lookout(); l != nil {
			return l
		}
		return nil
	}
}

// newNet makes a network namespace for a guest: all that it has is a loopback
// interface that is down.
func (k *Kernel) newNet(user *cred.UserNamespace) (*socket.Namespace, linux.Errno) {
	if k.cfg.Network == "host" {
		return nil, linux.EINVAL // the registry's sockets are the host's
	}
	if !k.sys.Sockets.MayAddNamespace() {
		return nil, linux.ENOSPC
	}
	stack, err := netstack.NewDown(reader(k.random))
	if err != nil {
		return nil, linux.ENOMEM
	}
	return k.sys.Sockets.NewNamespace(stack, user), 0
}

// Stack is the first network namespace's, nil where that is the host's.
func (k *Kernel) Stack() *netstack.Stack { return k.stack }

// A reader reads from a source of random numbers.
type reader func(p []byte)

func (r reader) Read(p []byte) (int, error) {
	r(p)
	return len(p), nil
}
