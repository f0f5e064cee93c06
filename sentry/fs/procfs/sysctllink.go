package procfs

import (
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Directories below /proc/sys with one for each interface, whose rows are those of the one called default. Set in one place and
// never changed.
var linkDirs = map[string]netstack.Family{"net/ipv4/conf/": netstack.IPv4, "net/ipv6/conf/": netstack.IPv6}

const linkTemplate = "default/"

// taskLink is an interface that a task sees by a name.
func (sh *shared) taskLink(t *task.Task, name string) (*socket.Namespace, netstack.Interface, bool) {
	n := sh.netOf(t)
	if n == nil {
		return nil, netstack.Interface{}, false
	}
	i, ok := n.Stack.InterfaceByName(name)
	return n, i, ok
}

// linkThere says whether anybody has an interface of a name: a look-up does not know who asks, and an open file does.
func (sh *shared) linkThere(name string) bool {
	if _, _, ok := sh.taskLink(nil, name); ok {
		return true
	}
	seen := make(map[*socket.Namespace]bool)
	for _, g := range sh.sys.Processes() {
		n := sh.netOf(g.Leader())
		if n == nil || seen[n] {
			continue
		}
		seen[n] = true
		if _, ok := n.Stack.InterfaceByName(name); ok {
			return true
		}
	}
	return false
}

// linkNames lists the interfaces that have a directory in one, and no row of their own.
func (sh *shared) linkNames(c *vfs.Caller, prefix string) (out []string) {
	if _, ok := linkDirs[prefix]; !ok || c == nil {
		return nil
	}
	t, _ := c.Job.(*task.Task)
	n := sh.netOf(t)
	if n == nil {
		return nil
	}
	for _, i := range n.Interfaces() {
		if !i.Loopback {
			out = append(out, i.Name)
		}
	}
	return out
}

// linkRows are the rows of an interface's directory, by name.
func (sh *shared) linkRows(prefix, link string) (out []Sysctl) {
	for _, s := range sh.sysctls {
		if rest, ok := strings.CutPrefix(s.Path, prefix+linkTemplate); ok {
			out = append(out, sh.linkRow(s, linkDirs[prefix], link, rest))
		}
	}
	return out
}

// linkRow is the row of an interface that a row of the default ones stands for.
func (sh *shared) linkRow(s Sysctl, f netstack.Family, link, name string) Sysctl {
	s.Path = strings.TrimSuffix(s.Path, linkTemplate+name) + link + "/" + name
	s.There = func(t *task.Task) bool { _, _, ok := sh.taskLink(t, link); return ok }
	get := func(of func(*socket.Namespace, *netstack.Interface) int64) {
		s.Get = func(t *task.Task) string {
			n, i, ok := sh.taskLink(t, link)
			if !ok {
				return ""
			}
			return strconv.FormatInt(of(n, &i), 10)
		}
	}
	set := func(to func(*socket.Namespace, *netstack.Interface, bool) error) {
		s.Set = func(t *task.Task, text string) linux.Errno {
			n, i, ok := sh.taskLink(t, link)
			v, err := strconv.ParseInt(strings.TrimSpace(text), 0, 32)
			switch {
			case !ok:
				return linux.ENOENT
			case t != nil && !n.Capable(t.Caller(), linux.CAP_NET_ADMIN):
				return linux.EPERM
			case err != nil:
				return linux.EINVAL
			}
			if e, ok := to(n, &i, v != 0).(linux.Errno); ok {
				return e
			}
			return 0
		}
	}
	switch name {
	case "forwarding":
		get(func(n *socket.Namespace, i *netstack.Interface) int64 {
			on, err := n.Stack.LinkForwarding(i.Index, f)
			return boolNumber(on && err == nil)
		})
		set(func(n *socket.Namespace, i *netstack.Interface, on bool) error {
			return n.Stack.SetLinkForwarding(i.Index, f, on)
		})
	case "disable_ipv6":
		get(func(n *socket.Namespace, i *netstack.Interface) int64 {
			k := n.Knobs()
			return boolNumber(k.WithoutIPv6(i.Index))
		})
		set(func(n *socket.Namespace, i *netstack.Interface, on bool) error {
			n.SetIPv6(i.Index, !on)
			return nil
		})
	case "route_localnet":
		get(func(n *socket.Namespace, i *netstack.Interface) int64 {
			k := n.Knobs()
			return boolNumber(k.RoutesLocalNet(i.Index))
		})
		set(func(n *socket.Namespace, i *netstack.Interface, on bool) error {
			n.SetLocalNet(i.Index, on)
			return nil
		})
	case "mtu":
		get(func(_ *socket.Namespace, i *netstack.Interface) int64 { return int64(i.MTU) })
	}
	return s
}

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// linkSysctl finds the row of an interface by its path.
func (sh *shared) linkSysctl(path string) (Sysctl, bool) {
	for prefix := range linkDirs {
		rest, ok := strings.CutPrefix(path, prefix)
		link, name, deep := strings.Cut(rest, "/")
		if !ok || !deep {
			continue
		}
		for _, s := range sh.linkRows(prefix, link) {
			if s.Path == prefix+link+"/"+name {
				return s, true
			}
		}
	}
	return Sysctl{}, false
}
