package cgroup

import (
	"cmp"
	"slices"
)

// A Claim is what tasks of a group want of the processors: those of its own, or
// of groups below it that have no controller of processors.
type Claim struct {
	Group *Group
	// Tasks is how many of them would run now, UsedNS what they have used since
	// the last deal.
	Tasks  int
	UsedNS int64
}

// A Dealer deals the processors of a sandbox out to groups in proportion to
// their weights. Each claimant pays with the time that it has used, divided by
// what is its due, and who has paid least comes first: with enough deals each
// has had its due. What is nobody's due, since there are too few tasks, is the
// others'. The zero value is ready. It has no lock.
type Dealer struct {
	paid map[dealKey]float64 // ns
}

// A dealKey is a group with others below it and its own tasks, or a group.
type dealKey struct {
	g   *Group
	own bool
}

// A dealNode is a group, or the own tasks of one with groups below.
type dealNode struct {
	key      dealKey
	weight   float64
	demand   float64 // processors that it could use
	due      float64 // processors
	claim    int     // its index, -1 for an inner node
	children []*dealNode
}

// maxAhead is how much more than others a claimant can have paid: it is not kept
// waiting for longer, whatever its weight.
const maxAhead = 10e9

// ShareGroup is the group that g's tasks compete in: it, or the nearest one
// above that has the controller.
func (g *Group) ShareGroup() *Group {
	for g.parent != nil && g.Controllers()&CPU == 0 {
		g = g.parent
	}
	return g
}

// Deal takes claims of different groups, each its own ShareGroup, and returns how many tasks of each are to
// run until the next deal, elapsed nanoseconds after the last one.
func (d *Dealer) Deal(cpus int, elapsed int64, claims []Claim) []int {
	granted := make([]int, len(claims))
	want := map[*Group]int{}
	scarce := false
	for i, c := range claims {
		granted[i] = c.Tasks
		for g := c.Group; g != nil; g = g.parent {
			want[g] += c.Tasks
			scarce = scarce || want[g] > g.most(cpus)
		}
	}
	if !scarce || elapsed <= 0 {
		d.paid = nil // nobody waits: all are even
		return granted
	}
	root, leaves := dealTree(cpus, elapsed, claims)
	root.fill(float64(cpus))
	d.pay(cpus, elapsed, claims, leaves)
	slices.SortStableFunc(leaves, func(a, b *dealNode) int { return cmp.Compare(d.paid[a.key], d.paid[b.key]) })
	left := map[*Group]int{}
	for g := range want {
		left[g] = g.most(cpus)
	}
	for i, n := range leaves {
		c := claims[n.claim]
		k := c.Tasks
		for g := c.Group; g != nil; g = g.parent {
			k = min(k, left[g])
		}
		if i > 0 || k < min(c.Tasks, cpus) { // else its tasks share all that there is
			granted[n.claim] = k
		}
		for g := c.Group; g != nil; g = g.parent {
			left[g] -= k
		}
	}
	return granted
}

// dealTree returns the claimants as a tree, and its leaves.
func dealTree(cpus int, elapsed int64, claims []Claim) (root *dealNode, leaves []*dealNode) {
	nodes := map[*Group]*dealNode{}
	var node func(g *Group) *dealNode
	node = func(g *Group) *dealNode {
		n := nodes[g]
		if n == nil {
			n = &dealNode{key: dealKey{g: g}, weight: g.share(), claim: -1}
			nodes[g] = n
			if g.parent != nil {
				up := node(g.parent.ShareGroup())
				up.children = append(up.children, n)
			}
		}
		return n
	}
	for _, c := range claims {
		node(c.Group)
	}
	for i, c := range claims {
		demand := max(float64(c.Tasks), min(float64(c.UsedNS)/float64(elapsed), float64(cpus)))
		if demand == 0 {
			continue
		}
		n := nodes[c.Group]
		if len(n.children) > 0 || n.key.g.parent == nil {
			// As in Linux, each of these counts as much as a group does.
			own := &dealNode{key: dealKey{c.Group, true}, weight: DefaultWeight * max(1, float64(c.Tasks)), claim: -1}
			n.children = append(n.children, own)
			n = own
		}
		n.claim, n.demand = i, demand
		leaves = append(leaves, n)
	}
	for g, n := range nodes {
		if g.parent == nil {
			root = n
		}
	}
	root.sum(cpus)
	return root, leaves
}

// share is the group's weight; an idle one has next to none (Linux:
// kernel/sched/sched.h WEIGHT_IDLEPRIO).
func (g *Group) share() float64 {
	if g.Idle() {
		return DefaultWeight * 3.0 / 1024
	}
	return float64(g.Weight())
}

// sum adds up what is wanted in n and below.
func (n *dealNode) sum(cpus int) float64 {
	for _, c := range n.children {
		n.demand += c.sum(cpus)
	}
	n.demand = min(n.demand, float64(n.key.g.most(cpus)))
	return n.demand
}

// fill shares processors out: by weight, but to nobody more than he can use.
func (n *dealNode) fill(cpus float64) {
	n.due = cpus
	slices.SortStableFunc(n.children, func(a, b *dealNode) int { return cmp.Compare(a.demand*b.weight, b.demand*a.weight) })
	weights := 0.0
	for _, c := range n.children {
		weights += c.weight
	}
	for _, c := range n.children {
		due := min(c.demand, cpus*c.weight/weights)
		c.fill(due)
		cpus -= due
		weights -= c.weight
	}
}

// pay has the claimants pay for what they have used.
func (d *Dealer) pay(cpus int, elapsed int64, claims []Claim, leaves []*dealNode) {
	used := int64(0)
	for _, c := range claims {
		used += c.UsedNS
	}
	// Where more tasks ran than there are processors, the clocks of those that
	// waited for one ran too.
	scale := min(1, float64(cpus)*float64(elapsed)/max(1, float64(used)))
	least, known := 0.0, false
	for _, n := range leaves {
		if paid, ok := d.paid[n.key]; ok && (!known || paid < least) {
			least, known = paid, true
		}
	}
	paid := make(map[dealKey]float64, len(leaves))
	for k, v := range d.paid {
		if v > least && !k.g.Removed() {
			paid[k] = v // it may come back
		}
	}
	for _, n := range leaves {
		at := max(least, d.paid[n.key])
		if n.due > 0 {
			at += float64(claims[n.claim].UsedNS) * scale / n.due
		}
		paid[n.key] = min(at, least+maxAhead)
	}
	d.paid = paid
}

// Forget has all claimants be even: a weight has changed.
func (d *Dealer) Forget() { d.paid = nil }

// Weighs reports whether there is something to deal: the weight of a group in the
// tree is another than others have, who compete with it, or not all processors are
// for a group.
func (h *Hierarchy) Weighs() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.root.weighsLocked()
}

func (g *Group) weighsLocked() bool {
	for _, c := range g.children {
		if c.cpusBind.Load() || c.weighsLocked() {
			return true
		}
		if (c.Weight() != DefaultWeight || c.Idle()) && (len(g.children) > 1 || g.processes.Load() > 0) {
			return true
		}
	}
	return false
}
