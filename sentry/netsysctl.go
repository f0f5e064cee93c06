package sentry

import (
	"strings"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/socket"
	"cordon/sentry/task"
)

// networkSysctls are those that a network stack acts on.
func (k *Kernel) networkSysctls() []procfs.Sysctl {
	var out []procfs.Sysctl
	for path, family := range map[string]netstack.Family{
		"net/ipv4/ip_forward": netstack.IPv4, "net/ipv4/conf/all/forwarding": netstack.IPv4, "net/ipv4/conf/default/forwarding": netstack.IPv4,
		"net/ipv6/conf/all/forwarding": netstack.IPv6, "net/ipv6/conf/default/forwarding": netstack.IPv6,
	} {
		out = append(out, procfs.Sysctl{
			Path: path, Mode: 0o644,
			Get: func(t *task.Task) string {
				if s := k.stackOf(t); s != nil && s.Forwarding(family) {
					return "1"
				}
				return "0"
			},
			Set: func(t *task.Task, value string) linux.Errno {
				s := k.stackOf(t)
				v := strings.TrimSpace(value)
				switch {
				case v != "0" && v != "1":
					return linux.EINVAL
				case s == nil:
					return linux.EPERM // the host's are not for us to change
				}
				if err := s.SetForwarding(family, v == "1"); err != nil {
					return linux.EINVAL
				}
				return 0
			},
		})
	}
	return out
}

// stackOf is the stack of a task's network namespace, for the kernel itself the first's; nil for the host's.
func (k *Kernel) stackOf(t *task.Task) *netstack.Stack {
	if t == nil {
		return k.Stack()
	}
	if n, ok := t.Namespaces().Net.(*socket.Namespace); ok {
		return n.Stack
	}
	return nil
}
