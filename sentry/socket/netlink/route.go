package netlink

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// rtmMax is the highest message that rtnetlink knows, rounded up to its kind.
const rtmMax = linux.RTM_GETTUNNEL + 1

// A call is one request being answered.
type call struct {
	s     *Socket
	c     *vfs.Caller
	stack *netstack.Stack
	r     *request
	reply reply
	dump  bool
	text  string // what NLMSGERR_ATTR_MSG says of a failure
	at    *socket.Namespace
}

// ns is the namespace that the request is about: the socket's, but for the rest of one that has moved an interface.
func (k *call) ns() *socket.Namespace { return k.at }

// fail is a failure with a text for programs that want to hear why.
func (k *call) fail(e linux.Errno, text string) error {
	k.text = text
	return e
}

// handle answers all messages of one datagram (Linux: netlink_rcv_skb).
func (s *Socket) handle(c *vfs.Caller, b []byte) {
	if linux.NetlinkProto(s.Info().Protocol) == linux.NETLINK_NETFILTER && s.batch(c, b) {
		return
	}
	for {
		r, rest, ok := next(b)
		if !ok {
			return
		}
		b = rest
		if s.Namespace().Host != nil && linux.NetlinkProto(s.Info().Protocol) == linux.NETLINK_ROUTE {
			s.askHost(&r)
			continue
		}
		s.answer(c, &r)
	}
}

// answer answers one request, and says how it went if that was asked for or it failed.
func (s *Socket) answer(c *vfs.Caller, r *request) {
	k := s.newCall(c, r)
	var err error
	if r.flags&linux.NLM_F_REQUEST != 0 && r.typ >= linux.NLMSG_MIN_TYPE {
		err = s.serve(k)
		if k.dump && err == nil {
			return // a dump is its own answer
		}
	}
	if r.flags&linux.NLM_F_ACK != 0 || err != nil {
		s.push(s.acknowledge(k, err))
	}
}

func (s *Socket) newCall(c *vfs.Caller, r *request) *call {
	k := &call{s: s, c: c, at: s.Namespace(), stack: s.Namespace().Stack, r: r}
	k.reply.to = header{seq: r.seq, pid: s.Port()}
	return k
}

// serve has the protocol answer a request.
func (s *Socket) serve(k *call) error {
	if k.stack == nil {
		return linux.EOPNOTSUPP
	}
	var err error
	switch linux.NetlinkProto(s.Info().Protocol) {
	case linux.NETLINK_ROUTE:
		err = k.route()
	case linux.NETLINK_SOCK_DIAG:
		err = k.diagnose()
	case linux.NETLINK_NETFILTER:
		err = k.netfilter()
	default:
		err = linux.EOPNOTSUPP
	}
	if err != nil {
		k.dump = false
		return err
	}
	if k.dump {
		k.reply.done()
	}
	for _, d := range k.reply.datagrams() {
		s.push(d)
	}
	return nil
}

// setDump says that the answer is a dump.
func (k *call) setDump() {
	k.dump, k.reply.multi = true, true
}

// route answers one request of NETLINK_ROUTE (Linux: rtnetlink_rcv_msg).
func (k *call) route() error {
	r := k.r
	if r.typ > rtmMax {
		return linux.EOPNOTSUPP
	}
	if len(r.body) < 1 {
		return nil
	}
	const getKind = 2
	get := (r.typ-linux.NLMSG_MIN_TYPE)%4 == getKind
	if !get && !k.ns().Capable(k.c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	dump := get && r.flags&linux.NLM_F_DUMP != 0
	h, ok := handlers[r.typ]
	if b, has := bridgeHandlers[r.typ]; has && linux.AddressFamily(r.body[0]) == linux.AF_BRIDGE {
		h, ok = b, true
	}
	if !ok || dump && h.dump == nil || !dump && h.do == nil {
		return linux.EOPNOTSUPP
	}
	if dump {
		k.setDump()
		return h.dump(k)
	}
	return h.do(k)
}

type handler struct{ do, dump func(*call) error }

// Set in one place and never changed.
var handlers = map[linux.NlMsgType]handler{
	linux.RTM_GETLINK:  {do: (*call).getLink, dump: (*call).dumpLinks},
	linux.RTM_NEWLINK:  {do: (*call).newLink},
	linux.RTM_SETLINK:  {do: (*call).setLink},
	linux.RTM_DELLINK:  {do: (*call).delLink},
	linux.RTM_GETNSID:  {do: (*call).getNSID, dump: (*call).dumpNSIDs},
	linux.RTM_NEWNSID:  {do: (*call).newNSID},
	linux.RTM_GETADDR:  {dump: (*call).dumpAddrs},
	linux.RTM_NEWADDR:  {do: (*call).newAddr},
	linux.RTM_DELADDR:  {do: (*call).delAddr},
	linux.RTM_GETROUTE: {do: (*call).getRoute, dump: (*call).dumpRoutes},
	linux.RTM_NEWROUTE: {do: (*call).newRoute},
	linux.RTM_DELROUTE: {do: (*call).delRoute},
	linux.RTM_GETNEIGH: {do: (*call).getNeighbour, dump: (*call).dumpNeighbours},
	linux.RTM_NEWNEIGH: {do: (*call).newNeighbour},
	linux.RTM_DELNEIGH: {do: (*call).delNeighbour},
	linux.RTM_GETRULE:  {dump: (*call).dumpRules},
}

// Those of PF_BRIDGE, where they are others. Set in one place and never changed.
var bridgeHandlers = map[linux.NlMsgType]handler{
	linux.RTM_GETLINK:  {dump: (*call).dumpBridgeLinks},
	linux.RTM_SETLINK:  {do: (*call).setBridgeLink},
	linux.RTM_DELLINK:  {},
	linux.RTM_GETNEIGH: {do: (*call).getStation, dump: (*call).dumpStations},
	linux.RTM_NEWNEIGH: {do: (*call).newStation},
	linux.RTM_DELNEIGH: {do: (*call).delStation},
}

func (k *call) strict() bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	return k.s.flags&strictCheck != 0
}
