package socket

import (
	"cmp"
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/netfilter"
	"cordon/sentry/vfs"
)

// A Provider makes the sockets of some address families. AF_INET may be served by a stack of our own or by host sockets:
// the kernel chooses a provider.
type Provider interface {
	Families() []linux.AddressFamily
	// NewSocket makes an unbound socket. typ has no flags. EPROTONOSUPPORT and ESOCKTNOSUPPORT are its to decide, and so
	// is permission.
	NewSocket(c *vfs.Caller, ns *Namespace, family linux.AddressFamily, typ linux.SockType, protocol int32) (Socket, error)
}

// A PairProvider can do socketpair(2).
type PairProvider interface {
	NewPair(c *vfs.Caller, ns *Namespace, typ linux.SockType, protocol int32) (a, b Socket, err error)
}

// A Registry is the set of families that a kernel has. It does not change.
type Registry struct {
	// immutable
	providers map[linux.AddressFamily]Provider

	// atomic
	namespaces atomic.Int64
}

// NewRegistry returns a registry; of two providers of one family the later counts.
func NewRegistry(ps ...Provider) *Registry {
	r := &Registry{providers: make(map[linux.AddressFamily]Provider)}
	for _, p := range ps {
		for _, f := range p.Families() {
			r.providers[f] = p
		}
	}
	return r
}

// New is socket(2) without the descriptor. typ has its flags taken off.
func (r *Registry) New(c *vfs.Caller, ns *Namespace, family linux.AddressFamily, typ linux.SockType, protocol int32) (Socket, error) {
	p, err := r.find(family, typ)
	if err != nil {
		return nil, err
	}
	return p.NewSocket(c, ns, family, typ, protocol)
}

// NewPair is socketpair(2) without the descriptors.
func (r *Registry) NewPair(c *vfs.Caller, ns *Namespace, family linux.AddressFamily, typ linux.SockType, protocol int32) (a, b Socket, err error) {
	p, err := r.find(family, typ)
	if err != nil {
		return nil, nil, err
	}
	pp, ok := p.(PairProvider)
	if !ok {
		// As in Linux, the socket itself is tried first, so that a bad type is told apart.
		s, err := p.NewSocket(c, ns, family, typ, protocol)
		if err != nil {
			return nil, nil, err
		}
		s.Release()
		return nil, nil, linux.EOPNOTSUPP
	}
	return pp.NewPair(c, ns, typ, protocol)
}

func (r *Registry) find(family linux.AddressFamily, typ linux.SockType) (Provider, error) {
	if family >= linux.AF_MAX {
		return nil, linux.EAFNOSUPPORT
	}
	if typ < 0 || typ > linux.SOCK_PACKET {
		return nil, linux.EINVAL
	}
	p := r.providers[family]
	if p == nil {
		return nil, linux.EAFNOSUPPORT
	}
	return p, nil
}

// Listed is a socket as a namespace lists it.
type Listed interface {
	Socket
	Basis() *Base
}

// A Namespace is a network namespace.
type Namespace struct {
	// immutable
	Stack  *netstack.Stack // nil when AF_INET is not served by a stack of our own
	Host   HostNetwork     // nil when it is not served by the host's
	UserNS *cred.UserNamespace
	First  bool   // it has the interfaces that come from outside
	serial uint64 // no other namespace's

	among *Registry // that counts it, or nil

	// atomic
	refs atomic.Int64
	seq  atomic.Uint64

	mu lock.Mutex[lock.SocketNames]
	// guarded by mu
	abstract map[string]Listed
	sockets  map[Listed]uint64

	confMu lock.Mutex[lock.NetConf]
	// guarded by confMu
	filter *netfilter.Ruleset // nil until it is used
	knobs  Knobs
	conf   netConf

	// Of a namespace that is being restored: endpoints no socket has taken yet.
	loaded []*netstack.Endpoint
}

// NewNamespace returns a namespace around a stack, which it owns; capabilities over it are held in user.
func NewNamespace(stack *netstack.Stack, user *cred.UserNamespace) *Namespace {
	n := &Namespace{Stack: stack, UserNS: user, abstract: make(map[string]Listed), sockets: make(map[Listed]uint64), conf: newNetConf(), knobs: defaultKnobs()}
	n.refs.Store(1)
	if stack != nil {
		stack.SetOwner(n)
		n.serial = stack.Serial()
	}
	return n
}

// NewHostNamespace returns the namespace of sockets that are the host's.
func NewHostNamespace(h HostNetwork, user *cred.UserNamespace) *Namespace {
	n := NewNamespace(nil, user)
	n.Host = h
	return n
}

// Filter returns the namespace's packet filter.
func (n *Namespace) Filter() *netfilter.Ruleset {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	if n.filter == nil {
		n.filter = netfilter.New(n.Stack)
	}
	return n.filter
}

// Capable reports whether c has a capability over the namespace.
func (n *Namespace) Capable(c *vfs.Caller, p linux.Capability) bool {
	return c != nil && c.Cred.HasIn(p, n.UserNS)
}

// Add and Remove keep the list of sockets.
func (n *Namespace) Add(s Listed) {
	n.IncRef()
	n.mu.Lock()
	n.sockets[s] = n.seq.Add(1)
	n.mu.Unlock()
}

func (n *Namespace) Remove(s Listed) {
	n.mu.Lock()
	_, ok := n.sockets[s]
	delete(n.sockets, s)
	n.mu.Unlock()
	if ok {
		n.DecRef()
	}
}

// Sockets lists the sockets of a family in the order of their making.
func (n *Namespace) Sockets(family linux.AddressFamily) []Listed {
	return slices.DeleteFunc(n.all(), func(s Listed) bool { return s.Info().Family != family })
}

// all lists the sockets in the order of their making.
func (n *Namespace) all() []Listed {
	type entry struct {
		s   Listed
		seq uint64
	}
	n.mu.Lock()
	es := make([]entry, 0, len(n.sockets))
	for s, seq := range n.sockets {
		es = append(es, entry{s, seq})
	}
	n.mu.Unlock()
	slices.SortFunc(es, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	out := make([]Listed, len(es))
	for i, e := range es {
		out[i] = e.s
	}
	return out
}

// BindAbstract gives s an abstract name; false when it is taken.
func (n *Namespace) BindAbstract(name string, s Listed) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.abstract[name] != nil {
		return false
	}
	n.abstract[name] = s
	return true
}

// UnbindAbstract frees a name that is s's.
func (n *Namespace) UnbindAbstract(name string, s Listed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.abstract[name] == s {
		delete(n.abstract, name)
	}
}

// FindAbstract returns the socket of a name, or nil.
func (n *Namespace) FindAbstract(name string) Listed {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.abstract[name]
}

// NextName numbers what needs a name that nobody has had.
func (n *Namespace) NextName() uint64 { return n.seq.Add(1) }
