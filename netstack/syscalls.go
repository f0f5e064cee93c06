package netstack

// A Syscall is one that links make of the host, beside those of package host, and what for.
type Syscall struct{ Name, Reason string }

// Syscalls lists them; the filter has them for a sandbox that may have links.
func Syscalls() []Syscall {
	return []Syscall{
		{"sendmmsg", "frames of an interface to its socket, several at once"},
		{"recvmmsg", "frames of an interface from its socket, several at once"},
	}
}
