package netlink

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/vfs"
)

// rtmMax is the highest message that rtnetlink knows, rounded up to its kind.
const rtmMax = linux.RTM_GETTUNNEL + 1

// A call is one request being answered.
type call struct {
	s     *Socket
	stack *netstack.Stack
	r     *request
	reply reply
	dump  bool
}

// handle answers all messages of one datagram (Linux: netlink_rcv_skb).
func (s *Socket) handle(c *vfs.Caller, b []byte) {
	for {
		r, rest, ok := next(b)
		if !ok {
			return
		}
		b = rest
		if s.Namespace().Host != nil {
			s.askHost(&r)
			continue
		}
		s.mu.Lock()
		port, capped := s.port, s.flags&capAck != 0
		s.mu.Unlock()
		var err error
		if r.flags&linux.NLM_F_REQUEST != 0 && r.typ >= linux.NLMSG_MIN_TYPE {
			var dumped bool
			dumped, err = s.route(c, &r, port)
			if dumped && err == nil {
				continue // a dump is its own answer
			}
		}
		if r.flags&linux.NLM_F_ACK != 0 || err != nil {
			s.push(acknowledge(&r, port, err, capped))
		}
	}
}

// route answers one request of NETLINK_ROUTE (Linux: rtnetlink_rcv_msg).
func (s *Socket) route(c *vfs.Caller, r *request, port uint32) (dumped bool, err error) {
	if r.typ > rtmMax || s.Namespace().Stack == nil {
		return false, linux.EOPNOTSUPP
	}
	if len(r.body) < 1 {
		return false, nil
	}
	const getKind = 2
	get := (r.typ-linux.NLMSG_MIN_TYPE)%4 == getKind
	if !get && !s.Namespace().Capable(c, linux.CAP_NET_ADMIN) {
		return false, linux.EPERM
	}
	k := &call{s: s, stack: s.Namespace().Stack, r: r, dump: get && r.flags&linux.NLM_F_DUMP != 0}
	k.reply.to = header{seq: r.seq, pid: port}
	k.reply.multi = k.dump
	h, ok := handlers[r.typ]
	if !ok || k.dump && h.dump == nil || !k.dump && h.do == nil {
		return false, linux.EOPNOTSUPP
	}
	if k.dump {
		err = h.dump(k)
		if err == nil {
			k.reply.done()
		}
	} else {
		err = h.do(k)
	}
	if err != nil {
		return false, err
	}
	for _, d := range k.reply.datagrams() {
		s.push(d)
	}
	return k.dump, nil
}

type handler struct{ do, dump func(*call) error }

// Set in one place and never changed.
var handlers = map[linux.NlMsgType]handler{
	linux.RTM_GETLINK:  {do: (*call).getLink, dump: (*call).dumpLinks},
	linux.RTM_NEWLINK:  {do: (*call).setLink},
	linux.RTM_SETLINK:  {do: (*call).setLink},
	linux.RTM_GETADDR:  {dump: (*call).dumpAddrs},
	linux.RTM_NEWADDR:  {do: (*call).newAddr},
	linux.RTM_DELADDR:  {do: (*call).delAddr},
	linux.RTM_GETROUTE: {do: (*call).getRoute, dump: (*call).dumpRoutes},
	linux.RTM_NEWROUTE: {do: (*call).newRoute},
	linux.RTM_DELROUTE: {do: (*call).delRoute},
	linux.RTM_GETNEIGH: {dump: (*call).dumpNeighbours},
	linux.RTM_GETRULE:  {dump: (*call).dumpRules},
}

func (k *call) strict() bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	return k.s.flags&strictCheck != 0
}

// announce tells the members of a group what has happened.
func (k *call) announce(group int, write func(p *reply)) {
	var p reply
	write(&p)
	for _, d := range p.datagrams() {
		for _, o := range k.s.Namespace().Sockets(linux.AF_NETLINK) {
			n, ok := o.(*Socket)
			if ok && n.Info().Protocol == int32(linux.NETLINK_ROUTE) && n.Groups()>>(group-1)&1 != 0 {
				n.push(d)
			}
		}
	}
}
