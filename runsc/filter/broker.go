package filter

import "golang.org/x/sys/unix"

// Broker is the table of the process that opens sockets of the host for network "user".
func Broker() Table {
	rules := runtimeRules()
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		ping := uint32(unix.IPPROTO_ICMP)
		if family == unix.AF_INET6 {
			ping = unix.IPPROTO_ICMPV6
		}
		const kind = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
		rules = append(rules,
			Rule{Name: "socket", Args: []Arg{Eq32(0, family), Eq32(1, unix.SOCK_STREAM|kind), Eq32(2, 0)}, Reason: "a guest's TCP connection"},
			Rule{Name: "socket", Args: []Arg{Eq32(0, family), Eq32(1, unix.SOCK_DGRAM|kind), Eq32(2, 0)}, Reason: "a guest's flow of UDP, a question to a resolver"},
			Rule{Name: "socket", Args: []Arg{Eq32(0, family), Eq32(1, unix.SOCK_DGRAM|kind), Eq32(2, ping)}, Reason: "a guest's echo requests"},
		)
	}
	rules = append(rules,
		Rule{Name: "socketpair", Args: []Arg{Eq32(0, unix.AF_UNIX), Eq32(1, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)},
			Reason: "a flow's datagrams between it and the Sentry"},
		Rule{Name: "getsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_ERROR)}, Reason: "what became of a connection"},
		Rule{Name: "getsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_PROTOCOL)}, Reason: "x/sys: what an address is of"},
		Rule{Name: "accept4", Args: []Arg{Eq32(3, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)}, Reason: "connections to published ports, which it was given"},
		Rule{Name: "fcntl", Args: []Arg{Eq32(1, unix.F_DUPFD_CLOEXEC)}, Reason: "a connection's descriptor for the poller"},
	)
	rules = append(rules, Allow("to where a guest asks and the policy lets it", "connect")...)
	rules = append(rules, Allow("whether a connection stands", "getpeername")...)
	rules = append(rules, Allow("messages to and from the Sentry, with sockets; datagrams", "sendmsg", "recvmsg", "sendto", "recvfrom")...)
	return Table{
		Zone: "net",
		About: "runsc net: opens sockets in the caller's network namespace for a Sentry it does not trust; user 65534 (or the caller) in a " +
			"user namespace of its own, no capabilities, empty root, own PID and IPC namespaces",
		Rules: rules,
	}
}

// Switch is the table of the process that passes frames on between sandboxes.
func Switch() Table {
	rules := runtimeRules()
	rules = append(rules,
		Rule{Name: "accept4", Args: []Arg{Eq32(3, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)}, Reason: "those who join, ask or watch"},
		Rule{Name: "socketpair", Args: []Arg{Eq32(0, unix.AF_UNIX), Eq32(1, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)},
			Reason: "a node's port"},
		Rule{Name: "setsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_SNDBUF)}, Reason: "room for frames on their way to a node"},
	)
	rules = append(rules, Allow("frames; requests and answers, with a node's port", "sendmsg", "recvmsg")...)
	return Table{
		Zone: "switch",
		About: "runsc switch: passes frames on between sandboxes; user 65534 (or the caller) in a user namespace of its own, no capabilities, " +
			"empty root, own PID, network and IPC namespaces",
		Rules: rules,
	}
}
