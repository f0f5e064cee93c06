package network

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// settle is how long changes are waited for that come with others: an interface is made, named, given addresses and set up.
const settle = 10 * time.Millisecond

// A follower has the sandbox's stack do what is done to the namespace. What was there when it began is the guest's to change; it
// carries over differences only.
type follower struct {
	// immutable
	stack   *netstack.Stack
	events  *os.File
	queries int
	opener  *host.Deputy

	// used by run only
	known view
	index map[int32]int32 // of the stack's interface, by the namespace's
}

// attachWatch follows the network's namespace from now on.
func attachWatch(s *netstack.Stack, n *boot.Network) {
	w := n.Watch
	if w == nil || n.FD(w.Events) < 0 || n.FD(w.Queries) < 0 || n.FD(w.Opener) < 0 {
		return
	}
	f := &follower{
		stack: s, events: os.NewFile(uintptr(n.FD(w.Events)), "events"), queries: n.FD(w.Queries),
		opener: host.NewDeputy(n.FD(w.Opener)), index: make(map[int32]int32),
	}
	taken := make(map[int32]bool)
	for _, l := range n.Links {
		taken[l.Index] = true
		if i, ok := s.InterfaceByName(l.Name); ok {
			f.index[l.Index] = i.Index
		}
	}
	s.AtEnd(func() { f.events.Close() })
	go f.run(taken)
}

// run ends with the stack, or the namespace's sockets.
func (f *follower) run(taken map[int32]bool) {
	defer func() {
		f.events.Close()
		unix.Close(f.queries)
		f.opener.Close()
	}()
	first, err := look(f.queries)
	if err == nil {
		f.known = first
		// What was down then, or came between, is new.
		maps.DeleteFunc(f.known.links, func(i int32, _ linkView) bool { return !taken[i] })
		maps.DeleteFunc(f.known.routes, func(r routeView, _ bool) bool { return !taken[r.link] })
		f.follow(first.copy())
	}
	conn, err := f.events.SyscallConn()
	if err != nil {
		return
	}
	for {
		if !hear(conn) {
			return
		}
		time.Sleep(settle)
		now, err := look(f.queries)
		if err != nil {
			// The rest of an answer that was cut off must not be the beginning of the next.
			fmt.Fprintf(os.Stderr, "runsc boot: looking at the network namespace: %v\n", err)
			drain(f.queries)
			continue
		}
		f.follow(now)
	}
}

// follow carries over what has changed since the last time.
func (f *follower) follow(now view) {
	for i := range f.known.links {
		if _, ok := now.links[i]; !ok {
			f.remove(i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(now.links)) {
		l := now.links[i]
		old, was := f.known.links[i]
		switch {
		case was:
			f.change(i, old, l)
		case !l.up:
			delete(now.links, i) // taken when it is up: its name is its own then
		default:
			if err := f.add(i, l); err != nil {
				fmt.Fprintf(os.Stderr, "runsc boot: interface %s: %v\n", l.name, err)
			}
		}
	}
	f.routes(now)
	f.known = now
}

// remove takes an interface away whose namespace's one has gone.
func (f *follower) remove(i int32) {
	if at, ok := f.index[i]; ok {
		_ = f.stack.RemoveLink(at) // the guest may have removed it
		delete(f.index, i)
	}
}

// add makes an interface.
func (f *follower) add(i int32, l linkView) error {
	if _, taken := f.stack.InterfaceByName(l.name); taken {
		return linux.EEXIST // the guest has made one
	}
	fd, err := f.openFrames(i)
	if err != nil {
		return err
	}
	n := None()
	out := boot.Link{Index: i, Name: l.name, HWAddr: l.hw[:], MTU: l.mtu, Up: true, VNetHeader: true, GSOMax: gsoMax, FD: n.Add(fd)}
	if l.gsoMax > 0 {
		out.GSOMax = min(out.GSOMax, l.gsoMax)
	}
	for p := range l.addrs {
		out.Addrs = append(out.Addrs, p)
	}
	slices.SortFunc(out.Addrs, comparePrefix)
	n.Links = []boot.Link{out}
	if err := Attach(f.stack, n); err != nil {
		if at, made := f.stack.InterfaceByName(l.name); made {
			_ = f.stack.RemoveLink(at.Index)
		} else {
			unix.Close(fd)
		}
		return err
	}
	at, _ := f.stack.InterfaceByName(l.name)
	f.index[i] = at.Index
	return nil
}

// change carries over what is different about an interface. What the guest has undone or done itself meanwhile is no error.
func (f *follower) change(i int32, old, l linkView) {
	at, ok := f.index[i]
	if !ok {
		return
	}
	if l.up != old.up {
		_ = f.stack.SetUp(at, l.up)
	}
	if l.mtu != old.mtu {
		_ = f.stack.SetMTU(at, min(l.mtu, netstack.MaxMTU))
	}
	if l.name != old.name {
		_ = f.stack.Rename(at, l.name)
	}
	if l.hw != old.hw {
		_ = f.stack.SetHWAddr(at, netstack.HWAddr(l.hw))
	}
	for p := range old.addrs {
		if !l.addrs[p] {
			_ = f.stack.RemoveAddress(at, p)
		}
	}
	for p := range l.addrs {
		if !old.addrs[p] {
			_ = f.stack.AddAddressAlone(at, p)
		}
	}
}

// routes carries over routes that went and came, those to networks before those by gateways.
func (f *follower) routes(now view) {
	for r := range f.known.routes {
		if at, ok := f.index[r.link]; ok && !now.routes[r] {
			_ = f.stack.RemoveRoute(r.route(at))
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(now.routes), compareRoute) {
		if at, ok := f.index[r.link]; ok && !f.known.routes[r] {
			_ = f.stack.AppendRoute(r.route(at))
		}
	}
}

// openFrames asks the opener for a socket of an interface's frames.
func (f *follower) openFrames(index int32) (int, error) {
	_, _, fds, err := f.opener.Ask(binary.LittleEndian.AppendUint32(nil, uint32(index)), 0, 1)
	if err == nil && len(fds) == 0 {
		err = linux.EIO
	}
	if err != nil {
		return -1, fmt.Errorf("asking for a socket: %w", err)
	}
	return fds[0], nil
}
