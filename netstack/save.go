package netstack

import (
	"bufio"
	"context"
	"io"
	"sync"

	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"cordon/internal/linux"
)

// saveBuffer is large because the encoder writes a few bytes at a time: without it a save takes ten times as long.
const saveBuffer = 1 << 20

// image is the root of the blob. Endpoints of a stack that no Endpoint stands for (not accepted yet, saying goodbye) are
// reached through the stack.
type image struct {
	stacks    []stackImage
	endpoints []endpointImage
}

type stackImage struct {
	s      *stack.Stack
	tables []stack.Table // not the IPTables themselves: their connection tracking does not survive
	links  []linkImage
	routes []tcpip.Route
	serial uint64
}

type linkImage struct {
	index int32
	name  string
	kind  string
	mtu   uint32
	down  bool
	addrs []tcpip.ProtocolAddress

	// Of links that the stack makes itself.
	hwaddr string
	pair   uint64

	started bool

	bridge bridgeImage // of a bridge
	tun    tunImage    // of a Tun
	port   portImage   // of a bridge's port
}

type endpointImage struct {
	stack               int
	ep                  tcpip.Endpoint
	wq                  *waiter.Queue
	kind, family, proto int

	flow flowImage
}

// flowImage is what e reads from its peer past the stack. peer numbers that endpoint from 1 on; it is 0 when the peer has
// closed, or there is no flow.
type flowImage struct {
	spliced                 bool
	peer                    int
	sent, received, earlier uint64
	data                    []byte
}

// registerImages tells pkg/state our types, once, and not before somebody saves or loads.
var registerImages = sync.OnceFunc(func() {
	state.Register((*image)(nil))
	state.Register((*stackImage)(nil))
	state.Register((*linkImage)(nil))
	state.Register((*endpointImage)(nil))
	state.Register((*flowImage)(nil))
	state.Register((*frameLink)(nil))
	state.Register((*dummyLink)(nil))
	state.Register((*bridge)(nil))
	state.Register((*bridgeImage)(nil))
	state.Register((*portImage)(nil))
	state.Register((*stationImage)(nil))
	state.Register((*owner)(nil))
	state.Register((*pairLink)(nil))
	state.Register((*tunLink)(nil))
	state.Register((*tunImage)(nil))
	state.Register((*wireEnd)(nil))
})

// Save stops the stacks and writes them and the endpoints to w; the order of endpoints is the order in which Load returns
// them. The stacks stand still until Resume or Close.
func Save(w io.Writer, stacks []*Stack, endpoints []*Endpoint) error {
	registerImages()
	img := new(image)
	at := make(map[*Stack]int)
	for i, s := range stacks {
		at[s] = i
		s.s.SetRemoveConf(false)
		s.pauseTaps()
		for _, f := range s.frameLinks() {
			f.hold()
		}
		s.s.Pause()
		img.stacks = append(img.stacks, s.image())
	}
	numbers := make(map[*Endpoint]int)
	for i, e := range endpoints {
		numbers[e] = i + 1
	}
	for _, e := range endpoints {
		i, ok := at[e.stack]
		if !ok {
			return linux.EINVAL
		}
		e.detach()
		img.endpoints = append(img.endpoints, endpointImage{
			i, e.ep, e.wq, int(e.kind), int(e.family), int(e.proto), e.flowImage(numbers),
		})
	}
	bw := bufio.NewWriterSize(w, saveBuffer)
	if _, err := state.Save(context.Background(), bw, img); err != nil {
		return linux.EIO
	}
	if bw.Flush() != nil {
		return linux.EIO
	}
	return nil
}

func (s *Stack) image() stackImage {
	img := stackImage{s: s.s, routes: s.s.GetRouteTable(), serial: s.serial}
	// A filter's owner sets it again.
	for id := stack.TableID(0); id < stack.NumTables && s.filter.Load() == nil; id++ {
		img.tables = append(img.tables, s.s.IPTables().GetTable(id, false), s.s.IPTables().GetTable(id, true))
	}
	infos := s.s.NICInfo()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := tcpip.NICID(1); len(infos) > 0; id++ {
		n, ok := infos[id]
		if !ok {
			continue
		}
		delete(infos, id)
		img.links = append(img.links, linkImage{
			index: int32(id), name: n.Name, kind: s.links[id].kind, mtu: n.MTU, down: !n.Flags.Running, addrs: n.ProtocolAddresses,
			hwaddr: string(n.LinkAddress), pair: s.links[id].pairID(), started: s.links[id].started,
			bridge: s.links[id].bridge.image(), port: s.links[id].port.image(), tun: s.links[id].tun.image(),
		})
	}
	return img
}

// Resume lets saved stacks go on in this process. What Attach was given is called again.
func Resume(stacks []*Stack) {
	for _, s := range stacks {
		s.mu.Lock()
		for _, e := range s.endpoints {
			if e.notify != nil && !e.attached {
				e.attached = true
				e.wq.EventRegister(&e.entry)
			}
		}
		s.mu.Unlock()
		s.s.Resume()
		s.resumeTaps()
		for _, f := range s.frameLinks() {
			f.goOn()
		}
	}
}

// Links has a loaded stack take the interfaces that are outside things, by AddLink, which gives one of a name that the saved
// stack had the index that it had. Connections and sockets of addresses that the stack does not have then are closed.
type Links func(s *Stack) error

// Load reads what Save wrote. The stacks run when it returns, but receive nothing from outside before Receive is called;
// endpoints have to be attached. Without links, which may be nil,
// a stack has the interfaces that it makes itself. Ends of pairs find each other in pairs; nil when there are none.
func Load(r io.Reader, links Links, pairs *Pairs) ([]*Stack, []*Endpoint, error) {
	registerImages()
	img := new(image)
	if err := decode(r, img); err != nil {
		return nil, nil, err
	}
	stacks := make([]*Stack, len(img.stacks))
	for i := range img.stacks {
		s, err := img.stacks[i].restore(links, pairs)
		if err != nil {
			return nil, nil, err
		}
		stacks[i] = s
	}
	for _, s := range stacks {
		s.s.SetAllowLiveTCPMigration(true) // connections of addresses that are gone end
		s.s.Restore()
		s.s.SetAllowLiveTCPMigration(false)
	}
	endpoints := make([]*Endpoint, len(img.endpoints))
	for i, e := range img.endpoints {
		if e.stack < 0 || e.stack >= len(stacks) || e.ep == nil || e.wq == nil {
			return nil, nil, linux.EINVAL
		}
		endpoints[i] = stacks[e.stack].adopt(e.ep, e.wq, Kind(e.kind), Family(e.family), uint8(e.proto))
		endpoints[i].lost.Store(Kind(e.kind) == TCP && tcp.EndpointState(e.ep.State()) == tcp.StateError)
	}
	for i := range endpoints {
		if err := img.restoreFlow(i, endpoints); err != nil {
			return nil, nil, err
		}
	}
	return stacks, endpoints, nil
}

// decode turns the decoder's panics on a damaged blob into an errno: an image is hostile input.
func decode(r io.Reader, img *image) (err error) {
	defer func() {
		if recover() != nil {
			err = linux.EINVAL
		}
	}()
	if _, e := state.Load(context.Background(), bufio.NewReaderSize(r, saveBuffer), img); e != nil {
		return linux.EINVAL
	}
	return nil
}
