package netfilter

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
)

// Limits of what a namespace's rules may be.
const (
	maxObjects  = 64 << 10 // tables, chains, rules and elements in all
	maxUserdata = 4096
	maxJumps    = 16
)

// A Ruleset is the nf_tables of a namespace.
type Ruleset struct {
	// immutable
	stack *netstack.Stack
	track *tracker

	// atomic
	run atomic.Pointer[program]

	mu lock.Mutex[lock.Netfilter]
	// guarded by mu
	now state
}

// A state is all objects. A Batch works on its own and puts it in the old one's place.
type state struct {
	tables  []*table
	legacy  []*legacyTable // which do not change
	gen     uint32
	handles uint64
}

type table struct {
	family   uint8
	name     string
	flags    uint32
	handle   uint64
	handles  uint64 // of what is in it
	userdata []byte
	chains   []*chain
	sets     []*set

	// Made when the table comes to count.
	chainOf map[string]*chain
	setOf   map[string]*set
}

// index makes what packets are judged by.
func (t *table) index() {
	t.chainOf, t.setOf = make(map[string]*chain), make(map[string]*set)
	for _, c := range t.chains {
		t.chainOf[c.name] = c
	}
	for _, s := range t.sets {
		s.sort()
		t.setOf[s.name] = s
	}
}

type chain struct {
	name     string
	handle   uint64
	base     bool
	hook     uint32
	priority int32
	policy   uint32
	typ      string
	flags    uint32
	userdata []byte
	rules    []*rule
	counted  bool
	count    *counter
	id       uint32 // of this batch
}

// A rule does not change.
type rule struct {
	handle   uint64
	raw      []byte // NFTA_RULE_EXPRESSIONS
	compat   []byte
	userdata []byte
	exprs    []expr
	id       uint32
}

type counter struct{ packets, bytes atomic.Uint64 }

// New returns the rules of a stack, of which there are none yet.
func New(s *netstack.Stack) *Ruleset {
	r := &Ruleset{stack: s, track: newTracker()}
	r.now.gen = 1
	return r
}

// clone copies what a batch may change.
func (s *state) clone() state {
	out := *s
	out.tables = make([]*table, len(s.tables))
	for i, t := range s.tables {
		n := *t
		n.chains = make([]*chain, len(t.chains))
		for j, c := range t.chains {
			m := *c
			m.rules = slices.Clone(c.rules)
			m.id = 0
			n.chains[j] = &m
		}
		n.sets = make([]*set, len(t.sets))
		for j, x := range t.sets {
			m := *x
			m.elems = slices.Clone(x.elems)
			m.id = 0
			n.sets[j] = &m
		}
		out.tables[i] = &n
	}
	return out
}

func (s *state) objects() int {
	n := len(s.tables)
	for _, t := range s.tables {
		n += len(t.chains) + len(t.sets)
		for _, c := range t.chains {
			n += len(c.rules)
		}
		for _, x := range t.sets {
			n += len(x.elems)
		}
	}
	return n
}

func (s *state) handle() uint64 {
	s.handles++
	return s.handles
}

func (t *table) next() uint64 {
	t.handles++
	return t.handles
}

func (s *state) table(family uint8, name string) *table {
	for _, t := range s.tables {
		if t.family == family && t.name == name {
			return t
		}
	}
	return nil
}

func (t *table) chain(name string) *chain {
	for _, c := range t.chains {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (t *table) set(name string) *set {
	for _, s := range t.sets {
		if s.name == name {
			return s
		}
	}
	return nil
}

// A Batch is a transaction. It ends with Commit or Abort.
type Batch struct {
	r *Ruleset
	s state
}

// Begin begins a batch; wantGen, if it is not 0, is the generation that the guest has seen: ERESTART when there is another.
func (r *Ruleset) Begin(wantGen uint32) (*Batch, linux.Errno) {
	r.mu.Lock()
	if wantGen != 0 && wantGen != r.now.gen {
		r.mu.Unlock()
		return nil, linux.ERESTART
	}
	return &Batch{r, r.now.clone()}, 0
}

// Abort forgets the batch.
func (b *Batch) Abort() { b.r.mu.Unlock() }

// Commit checks the whole and lets it count.
func (b *Batch) Commit() linux.Errno {
	defer b.r.mu.Unlock()
	p, errno := compile(&b.s)
	if errno != 0 {
		return errno
	}
	b.s.gen++
	b.r.now = b.s
	b.r.install(p)
	return 0
}

func (r *Ruleset) install(p *program) {
	r.run.Store(p)
	if p == nil {
		r.stack.SetFilter(nil)
	} else {
		r.stack.SetFilter(r)
	}
}

// Generation is the number of the present state.
func (r *Ruleset) Generation() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.gen
}

// A base is a base chain where it runs.
type base struct {
	t *table
	c *chain
}

// A program is what packets are judged by.
type program struct {
	// at are the chains by family (IPv4, IPv6), hook and stage, in order.
	at     [2][netstack.NumHooks][netstack.StageAfter + 1][]base
	tracks bool
}

// compile makes the program, nil when there is no base chain. It resolves and checks jumps.
func compile(s *state) (*program, linux.Errno) {
	p := &program{}
	any := false
	all := slices.Clone(s.tables)
	for _, l := range s.legacy {
		all = append(all, l.t)
	}
	for _, t := range all {
		for _, c := range t.chains {
			for _, ru := range c.rules {
				for _, e := range ru.exprs {
					if _, ok := e.(tracking); ok {
						p.tracks = true
					}
				}
			}
		}
		t.index()
		d := depths{t, make(map[*chain]int)}
		for _, c := range t.chains {
			if _, errno := d.of(c); errno != 0 {
				return nil, errno
			}
			if !c.base || t.flags&1 != 0 { // NFT_TABLE_F_DORMANT
				continue
			}
			any = true
			st := stageOf(c)
			for i, f := range []uint8{famIPv4, famIPv6} {
				if t.family == f || t.family == famInet {
					list := &p.at[i][c.hook][st]
					*list = append(*list, base{t, c})
				}
			}
		}
	}
	if !any {
		return nil, 0
	}
	for i := range p.at {
		for h := range p.at[i] {
			for st := range p.at[i][h] {
				slices.SortStableFunc(p.at[i][h][st], func(a, b base) int { return int(a.c.priority) - int(b.c.priority) })
			}
		}
	}
	return p, 0
}

// stageOf is when a base chain runs. Where the stack has no place before the translation of addresses, it is after.
func stageOf(c *chain) netstack.Stage {
	h := netstack.Hook(c.hook)
	switch {
	case c.typ == "nat":
		return netstack.StageNAT
	case h == netstack.HookInput || h == netstack.HookForward:
		return netstack.StageAfter
	case h == netstack.HookPostrouting:
		const sourceNAT = 100
		if c.priority < sourceNAT {
			return netstack.StageBefore
		}
		return netstack.StageAfter
	case c.priority < -200:
		return netstack.StageEarly
	case c.priority < -100:
		return netstack.StageBefore
	}
	return netstack.StageAfter
}

// depths finds how deep jumps go.
type depths struct {
	t    *table
	seen map[*chain]int // 0: being looked at
}

// of is how many chains follow each other from c on: ELOOP when they do not end, EMLINK when there are too many.
func (d *depths) of(c *chain) (int, linux.Errno) {
	if n, ok := d.seen[c]; ok {
		if n == 0 {
			return 0, linux.ELOOP
		}
		return n, 0
	}
	d.seen[c] = 0
	most := 0
	for _, to := range chainTargets(c) {
		next := d.t.chain(to)
		if next == nil {
			return 0, linux.ENOENT
		}
		if next.base {
			return 0, linux.EOPNOTSUPP
		}
		n, errno := d.of(next)
		if errno != 0 {
			return 0, errno
		}
		most = max(most, n)
	}
	if most >= maxJumps {
		return 0, linux.EMLINK
	}
	d.seen[c] = most + 1
	return most + 1, 0
}

// chainTargets are the chains that a chain's rules name, those of verdict maps apart.
func chainTargets(c *chain) []string {
	var out []string
	for _, ru := range c.rules {
		for _, e := range ru.exprs {
			if im, ok := e.(*immediate); ok && im.verdict && (im.code == vJump || im.code == vGoto) {
				out = append(out, im.chain)
			}
		}
	}
	return out
}
