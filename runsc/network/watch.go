package network

import (
	"errors"
	"fmt"

	"cordon/runsc/boot"
	"cordon/runsc/sandbox"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Docker and others put interfaces into a namespace and take them out again while the container runs. The Sentry hears of
// it by a netlink socket of the namespace, asks what there is now, and has its stack follow (follow.go). What it has no right to is done
// before or by another: sockets of frames come from the opener, and the host's stack is muted beforehand. It keeps the addresses and the
// routes: whoever configures the namespace finds them there and changes them there.

// addWatch adds sockets of the namespace that the caller's thread is in.
func addWatch(n *boot.Network) error {
	const groups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
		1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)
	events, err := routeSocket(groups, unix.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	queries, err := routeSocket(0, 0)
	if err != nil {
		unix.Close(events)
		return err
	}
	n.Watch = &boot.Watch{Events: n.Add(events), Queries: n.Add(queries), Opener: -1}
	return nil
}

func addOpener(n *boot.Network, netns string) error {
	f, err := sandbox.StartOpener(netns)
	if err != nil {
		return err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	n.Watch.Opener = n.Add(fd)
	return nil
}

// routeSocket opens a netlink socket that hears groups. An answer that does not come is an error in the end.
func routeSocket(groups uint32, flags int) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("netlink: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("netlink: %w", err)
	}
	return fd, nil
}

// localTable is where the kernel has the addresses that are its own.
const localTable = unix.RT_TABLE_LOCAL

// muteRules are the rules of a namespace whose stack answers nobody outside: what comes by another interface than loopback
// is dropped before it is looked at whose it is, ARP and neighbour discovery too. What the namespace sends goes its way.
func muteRules(family int) (drop, local, first *netlink.Rule) {
	drop = netlink.NewRule()
	drop.Family, drop.Priority, drop.IifName, drop.Invert, drop.Type = family, 0, "lo", true, unix.RTN_BLACKHOLE
	local, first = netlink.NewRule(), netlink.NewRule()
	local.Family, local.Priority, local.Table = family, 1, localTable
	first.Family, first.Priority, first.Table = family, 0, localTable
	return drop, local, first
}

// mute makes the rules.
func mute(h *netlink.Handle) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		drop, local, first := muteRules(family)
		if err := h.RuleAdd(local); err != nil && !errors.Is(err, unix.EEXIST) {
			if family == netlink.FAMILY_V6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)) {
				return nil // a host without IPv6
			}
			return fmt.Errorf("routing rules: %w", err)
		}
		if err := h.RuleDel(first); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("routing rules: %w", err)
		}
		if err := h.RuleAdd(drop); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("routing rules: %w", err)
		}
	}
	return nil
}

// unmute gives a namespace its own rules back, if they were changed.
func unmute(h *netlink.Handle) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		drop, local, first := muteRules(family)
		if h.RuleDel(drop) == nil {
			_ = h.RuleAdd(first) // it cannot be there: rules of the family are known
			_ = h.RuleDel(local)
		}
	}
}
