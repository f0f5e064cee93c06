package task

import (
	"cmp"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/sentry/cred"
)

// PIDNamespaceImage is a PIDNamespace in a checkpoint. IDs and Numbers belong
// together by their places.
type PIDNamespaceImage struct {
	Sys, Parent, User, Init checkpoint.Ref
	Plain, Dead, Apart      bool
	LastPID                 int32
	Serial                  uint64
	IDs, Numbers            []int32
}

func savePIDs(s *checkpoint.Saver, n *PIDNamespace) PIDNamespaceImage {
	n.sys.tree.RLock()
	defer n.sys.tree.RUnlock()
	im := PIDNamespaceImage{
		Sys: s.Ref(n.sys), Parent: s.Ref(n.parent), User: s.Ref(n.user), Init: s.Ref(n.init), Plain: n.plain, Dead: n.dead, Apart: n.apart, LastPID: n.lastPID,
		Serial: n.serial,
	}
	for _, id := range slices.Sorted(maps.Keys(n.numbers)) {
		if n.sys.usedTreeLocked(id) {
			im.IDs, im.Numbers = append(im.IDs, id), append(im.Numbers, n.numbers[id])
		}
	}
	return im
}

func loadPIDs(l *checkpoint.Loader, n *PIDNamespace, im PIDNamespaceImage) error {
	g := &getter{l: l}
	n.sys, n.parent, n.user = get[*System](g, im.Sys), get[*PIDNamespace](g, im.Parent), get[*cred.UserNamespace](g, im.User)
	n.init, n.plain, n.dead, n.lastPID = get[*ThreadGroup](g, im.Init), im.Plain, im.Dead, im.LastPID
	n.serial, n.apart = im.Serial, im.Apart
	if g.err != nil || n.sys == nil || n.user == nil || len(im.IDs) != len(im.Numbers) || len(im.IDs) > 2*MaxPID || im.LastPID < 0 || im.LastPID > MaxPID {
		return cmp.Or(g.err, errImage)
	}
	if n.apart {
		n.sys.anyApart.Store(true)
	}
	n.numbers, n.ids = make(map[int32]int32), make(map[int32]int32)
	for i, id := range im.IDs {
		number := im.Numbers[i]
		if id <= 0 || id >= MaxPID || number <= 0 || number >= MaxPID || n.numbers[id] != 0 || n.ids[number] != 0 {
			return errImage
		}
		n.numbers[id], n.ids[number] = number, id
	}
	// The parents are filled now.
	l.AfterLoad(n.loadLevel)
	return nil
}

// loadLevel counts the namespaces that n is in, and enters it as the innermost
// of its ids unless a deeper one is there.
func (n *PIDNamespace) loadLevel() error {
	n.level = 0
	for p := n.parent; p != nil; p = p.parent {
		if n.level++; n.level > maxPIDLevel {
			return errImage
		}
	}
	if n.level == 0 {
		n.numbers, n.ids = nil, nil
		if n != n.sys.pids {
			return errImage
		}
		return nil
	}
	s := n.sys
	if s.loaded == nil {
		s.loaded = make(map[uint64]*PIDNamespace)
	}
	if s.loaded[n.serial] != nil {
		return errImage
	}
	s.loaded[n.serial] = n
	s.serials.Store(max(s.serials.Load(), n.serial))
	for id := range n.numbers {
		if o := n.sys.inner[id]; o == nil || n.Within(o) {
			n.sys.inner[id] = n
		}
	}
	return nil
}
