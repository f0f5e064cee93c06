package socket

import (
	"bytes"
	"errors"
	"fmt"

	"cordon/checkpoint"
	"cordon/netstack"
	"cordon/sentry/bpf"
	"cordon/sentry/cred"
	"cordon/sentry/netfilter"
)

var (
	errImage       = errors.New("sockets that cannot be")
	errHostNetwork = errors.New("a sandbox on the host's network cannot be saved")
)

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("socket.Namespace", saveNamespace, loadNamespace)}
}

// NamespaceImage is a Namespace in a checkpoint. Names and the list of sockets are made again by the sockets. Stack is
// netstack's own blob with the endpoints of the inet sockets in the order of Endpoints.
type NamespaceImage struct {
	Stack    []byte
	HasStack bool
	First    bool
	UserNS   checkpoint.Ref
	Refs     int64
	Seq      uint64
	Addrs    []AddrImage
	Routes   []RouteImage
	Filter   netfilter.Image
	Knobs    Knobs
	IDs      []NamespaceID
}

// A NamespaceID is what a namespace calls another.
type NamespaceID struct {
	Serial uint64
	ID     int32
}

// SlotRestoring is the name of the *Restoring of namespaces that are loaded.
const SlotRestoring = "socket.restoring"

// Restoring is what namespaces that are loaded have in common: ends of pairs find each other in Pairs. Attach has the
// first namespace's stack take the interfaces that are outside things; nil for none.
type Restoring struct {
	Registry *Registry
	Pairs    netstack.Pairs
	Attach   netstack.Links
}

// An endpointed socket has an endpoint in its namespace's stack.
type endpointed interface{ Endpoint() *netstack.Endpoint }

// Endpoints lists the endpoints of a namespace's sockets in the order in which they are saved.
func (n *Namespace) endpoints() []*netstack.Endpoint {
	var out []*netstack.Endpoint
	for _, s := range n.all() {
		if e, ok := s.(endpointed); ok {
			out = append(out, e.Endpoint())
		}
	}
	return out
}

// EndpointNumber returns where an endpoint stands in the saved stack, -1 if it is not there.
func (n *Namespace) EndpointNumber(e *netstack.Endpoint) int {
	for i, o := range n.endpoints() {
		if o == e {
			return i
		}
	}
	return -1
}

// LoadedEndpoint returns the endpoint that had a number when the namespace was saved, nil if there is none, or somebody
// has taken it already.
func (n *Namespace) LoadedEndpoint(i int) *netstack.Endpoint {
	if i < 0 || i >= len(n.loaded) {
		return nil
	}
	e := n.loaded[i]
	n.loaded[i] = nil
	return e
}

func saveNamespace(s *checkpoint.Saver, n *Namespace) NamespaceImage {
	im := NamespaceImage{UserNS: s.Ref(n.UserNS), Refs: n.refs.Load(), Seq: n.seq.Load(), HasStack: n.Stack != nil && n.refs.Load() > 0, First: n.First}
	im.Addrs, im.Routes = n.confImages()
	im.IDs = n.idImages()
	im.Knobs = n.Knobs()
	if im.HasStack {
		im.Filter = n.Filter().Image()
	}
	if n.Host != nil {
		s.Fail(errHostNetwork)
	}
	if !im.HasStack {
		return im
	}
	// The stack stands still for as long as it is written. No task runs now; what comes from outside waits.
	var b bytes.Buffer
	stacks := []*netstack.Stack{n.Stack}
	err := netstack.Save(&b, stacks, n.endpoints())
	netstack.Resume(stacks)
	if err != nil {
		s.Fail(err)
	}
	im.Stack = b.Bytes()
	return im
}

func loadNamespace(l *checkpoint.Loader, n *Namespace, im NamespaceImage) error {
	user, err := checkpoint.Get[*cred.UserNamespace](l, im.UserNS)
	if err != nil || user == nil {
		return errImage
	}
	n.UserNS, n.First = user, im.First
	n.abstract, n.sockets = make(map[string]Listed), make(map[Listed]uint64)
	n.conf, n.knobs = newNetConf(), im.Knobs
	if err := n.loadConf(im.Addrs, im.Routes); err != nil {
		return err
	}
	for _, i := range im.IDs {
		n.conf.ids[i.Serial] = i.ID
	}
	n.refs.Store(im.Refs)
	n.seq.Store(im.Seq)
	if !im.HasStack {
		return nil
	}
	slot, _ := l.Slot(SlotRestoring)
	with, _ := slot.(*Restoring)
	if with == nil {
		with = &Restoring{Registry: NewRegistry()}
	}
	var attach netstack.Links
	var attached error
	if im.First && with.Attach != nil {
		attach = func(s *netstack.Stack) error {
			attached = with.Attach(s)
			return attached
		}
	}
	stacks, endpoints, err := netstack.Load(bytes.NewReader(im.Stack), attach, &with.Pairs)
	if attached != nil {
		return fmt.Errorf("network: %w", attached)
	}
	if err != nil || len(stacks) != 1 {
		return errImage
	}
	n.Stack, n.loaded = stacks[0], endpoints
	n.Stack.SetOwner(n)
	n.serial = n.Stack.Serial()
	with.Registry.counts(n)
	if n.filter, err = netfilter.Restore(n.Stack, im.Filter); err != nil {
		return errImage
	}
	n.Stack.Receive()
	return nil
}

// BaseImage is a Base in a checkpoint. The description names itself again when it is restored.
type BaseImage struct {
	Info   Info
	NS     checkpoint.Ref
	Seq    uint64 // its place in the namespace's list; 0: not listed
	Cookie uint64
	Opts   Options
	Filter []byte // instructions
}

// Image returns b's image; self is the socket it is in.
func (b *Base) Image(s *checkpoint.Saver, self Listed) BaseImage {
	b.ns.mu.Lock()
	seq := b.ns.sockets[self]
	b.ns.mu.Unlock()
	return BaseImage{
		Info: b.info, NS: s.Ref(b.ns), Seq: seq, Cookie: b.cookie.Load(), Opts: b.Options(),
		Filter: b.filter.Load().Bytes(),
	}
}

// Restore fills b, which is in self, and lists it. The namespace itself may not be filled yet: what needs it waits for
// AfterLoad.
func (b *Base) Restore(l *checkpoint.Loader, self Listed, h Hooks, im *BaseImage) error {
	ns, err := checkpoint.Get[*Namespace](l, im.NS)
	if err != nil || ns == nil {
		return errImage
	}
	b.info, b.ns, b.hooks = im.Info, ns, h
	b.cookie.Store(im.Cookie)
	b.Inherit(im.Opts)
	if len(im.Filter) > 0 {
		p, errno := bpf.Compile(bpf.Parse(im.Filter))
		if errno != 0 {
			return errImage
		}
		b.filter.Store(p)
	}
	if im.Seq != 0 {
		l.AfterLoad(func() error {
			ns.mu.Lock()
			defer ns.mu.Unlock()
			ns.sockets[self] = im.Seq
			return nil
		})
	}
	return nil
}
