package filter

import "golang.org/x/sys/unix"

// loopbackRules are for what programs of the host connect to in a sandbox's network namespace.
func loopbackRules() []Rule {
	return append(Allow("loopback of the network namespace: which port was meant", "getsockname"),
		Rule{Name: "getsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_PROTOCOL)}, Reason: "loopback of the network namespace: reading an address"},
		Rule{Name: "setsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_LINGER)}, Reason: "loopback of the network namespace: a reset where nobody listens"})
}
