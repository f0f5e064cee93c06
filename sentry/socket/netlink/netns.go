package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// byAttr finds the namespace that one of two attributes names, by a process or by a descriptor; nil when neither is there. The
// caller gets a reference.
func (k *call) byAttr(attrs map[uint16][]byte, pid, fd uint16) (*socket.Namespace, error) {
	f, _ := k.c.Job.(socket.Finder)
	for _, a := range []uint16{pid, fd} {
		b, ok := attrs[a]
		if !ok {
			continue
		}
		v, ok := u32(b)
		if !ok || f == nil {
			return nil, linux.EINVAL
		}
		if a == pid {
			return f.NetByPID(int32(v))
		}
		return f.NetByFD(int32(v))
	}
	return nil, nil
}

// target is the namespace that an interface is to be in: the caller's where attrs do not say. The caller gets a reference.
// EPERM without CAP_NET_ADMIN there (Linux: net/core/rtnetlink.c rtnl_link_get_net_capable).
func (k *call) target(attrs map[uint16][]byte) (*socket.Namespace, error) {
	n, err := k.byAttr(attrs, linux.IFLA_NET_NS_PID, linux.IFLA_NET_NS_FD)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		n = k.ns()
		n.IncRef()
	case n.Stack == nil || !n.Capable(k.c, linux.CAP_NET_ADMIN):
		n.DecRef()
		return nil, linux.EPERM
	}
	return n, nil
}

// moveLink takes i to another namespace if a request says so. The rest of the request is about it there.
func (k *call) moveLink(i *netstack.Interface, attrs map[uint16][]byte) error {
	to, err := k.target(attrs)
	if err != nil {
		return err
	}
	defer to.DecRef()
	if to == k.ns() {
		return nil
	}
	name := i.Name
	if b, ok := attrs[linux.IFLA_IFNAME]; ok {
		name = cString(b)
	}
	index, err := k.ns().MoveLink(*i, to, name)
	if err != nil {
		switch err {
		case linux.EINVAL:
			return k.fail(linux.EINVAL, "The interface netns is immutable")
		case linux.EEXIST:
			return k.fail(linux.EEXIST, "An interface with the same name exists in the target netns")
		}
		return err
	}
	k.at, k.stack = to, to.Stack
	*i, _ = to.Stack.Interface(index)
	return nil
}

// writePeer says where the other end of a pair is.
func writePeer(p *reply, ns *socket.Namespace, i *netstack.Interface) {
	if ns.Stack == nil {
		return
	}
	o, at := ns.Peer(i.Index)
	if o == nil {
		return
	}
	defer o.DecRef()
	p.attrU32(linux.IFLA_LINK, uint32(at))
	if o != ns {
		if id, err := ns.Number(o, -1); err == nil {
			p.attrU32(linux.IFLA_LINK_NETNSID, uint32(id))
		}
	}
}

func oneIf(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// rtgenSize is the size of struct rtgenmsg with its padding.
const rtgenSize = 4

// nsidAttrs are a request's attributes and the namespace that they name, ENOENT for none.
func (k *call) nsidAttrs() (attrs map[uint16][]byte, n *socket.Namespace, err error) {
	if attrs, err = k.r.attributes(rtgenSize); err != nil {
		return nil, nil, err
	}
	if n, err = k.byAttr(attrs, linux.NETNSA_PID, linux.NETNSA_FD); err == nil && n == nil {
		err = k.fail(linux.EINVAL, "Peer netns reference is missing")
	}
	return attrs, n, err
}

// getNSID is RTM_GETNSID: the number that this namespace has for another.
func (k *call) getNSID() error {
	_, n, err := k.nsidAttrs()
	if err != nil {
		return err
	}
	defer n.DecRef()
	k.writeNSID(k.ns().IDOf(n))
	return nil
}

func (k *call) dumpNSIDs() error {
	for _, id := range k.ns().Numbers() {
		k.writeNSID(id)
	}
	return nil
}

func (k *call) writeNSID(id int32) {
	k.reply.begin(linux.RTM_NEWNSID, &[rtgenSize]byte{})
	k.reply.attrU32(linux.NETNSA_NSID, uint32(id))
	k.reply.end()
}

// newNSID is RTM_NEWNSID.
func (k *call) newNSID() error {
	attrs, n, err := k.nsidAttrs()
	if err != nil {
		return err
	}
	defer n.DecRef()
	b := attrs[linux.NETNSA_NSID]
	if len(b) != 4 {
		return k.fail(linux.EINVAL, "nsid is missing")
	}
	if _, err = k.ns().Number(n, int32(binary.LittleEndian.Uint32(b))); err == linux.EEXIST {
		return k.fail(linux.EEXIST, "Peer netns already has a nsid assigned")
	}
	return err
}
