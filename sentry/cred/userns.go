package cred

import (
	"sync"

	"cordon/internal/linux"
)

// MaxIDMapEntries bounds an id map (Linux: UID_GID_MAP_MAX_EXTENTS).
const MaxIDMapEntries = 340

// An IDMap is one line of /proc/pid/uid_map: Count ids from Inside on are the
// parent's ids from Outside on.
type IDMap struct{ Inside, Outside, Count uint32 }

// A UserNamespace maps ids (user_namespaces(7)).
type UserNamespace struct {
	// immutable
	Parent *UserNamespace // nil for the root namespace
	Owner  uint32         // root-namespace uid of its creator
	Group  uint32
	Level  int
	// SetFCap says that its creator could set file capabilities: its process may
	// then map the parent's root.
	SetFCap bool
	// bounded is set for a root namespace that has the ids inside of its maps and
	// no others; what is outside are the host's, for show.
	bounded bool

	mu sync.Mutex
	// guarded by mu
	uids, gids []IDMap // written once each
	noGroups   bool    // setgroups(2) is denied
}

// NewRootNamespace returns the namespace in which every id is itself.
func NewRootNamespace() *UserNamespace {
	all := []IDMap{{0, 0, NoID}}
	return &UserNamespace{uids: all, gids: all}
}

// NewBoundedNamespace returns a root namespace that has the ids inside of the
// maps only: that of a container which has a user namespace of its own on the
// host, whose ids are outside.
func NewBoundedNamespace(uids, gids []IDMap) *UserNamespace {
	ns := &UserNamespace{uids: uids, gids: gids}
	ns.bounded = ns.isBounded()
	return ns
}

// isBounded reports whether the maps of a root namespace leave out an id.
func (ns *UserNamespace) isBounded() bool {
	return ns.Parent == nil && !(Covers(ns.uids, 0, NoID) && Covers(ns.gids, 0, NoID))
}

// Child returns a namespace below ns without maps yet, made by c.
func (ns *UserNamespace) Child(c *Credentials) *UserNamespace {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return &UserNamespace{
		Parent: ns, Owner: c.EUID, Group: c.EGID, Level: ns.Level + 1, SetFCap: c.Effective.Has(linux.CAP_SETFCAP), noGroups: ns.noGroups,
	}
}

// DenySetgroups forbids setgroups(2) for good; false: the group map is written.
func (ns *UserNamespace) DenySetgroups() bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if !ns.noGroups && ns.gids != nil {
		return false
	}
	ns.noGroups = true
	return true
}

// SetgroupsDenied reports whether DenySetgroups was called.
func (ns *UserNamespace) SetgroupsDenied() bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.noGroups
}

// MaySetgroups reports whether setgroups(2) can be used: it is not denied, and
// groups are mapped.
func (ns *UserNamespace) MaySetgroups() bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return !ns.noGroups && ns.gids != nil
}

// FindUID and FindGID are FromRootUID and FromRootGID with NoID where ns has none.
func (ns *UserNamespace) FindUID(id uint32) uint32 { return ns.down(id, (*UserNamespace).uidMap) }

// FindGID is FindUID for a group.
func (ns *UserNamespace) FindGID(id uint32) uint32 { return ns.down(id, (*UserNamespace).gidMap) }

// HasUID and HasGID report whether ns maps an id of the root namespace.
func (ns *UserNamespace) HasUID(id uint32) bool { return ns.down(id, (*UserNamespace).uidMap) != NoID }

// HasGID is HasUID for a group.
func (ns *UserNamespace) HasGID(id uint32) bool { return ns.down(id, (*UserNamespace).gidMap) != NoID }

// Within reports whether ns is o or below it.
func (ns *UserNamespace) Within(o *UserNamespace) bool {
	for ; ns != nil; ns = ns.Parent {
		if ns == o {
			return true
		}
	}
	return false
}

// Covers reports whether a map has each of count ids from first on among those
// inside: as one extent, as in Linux.
func Covers(m []IDMap, first, count uint32) bool {
	for _, e := range m {
		if first >= e.Inside && first-e.Inside < e.Count && count <= e.Count-(first-e.Inside) {
			return true
		}
	}
	return false
}

// Maps returns the id maps, nil where not written yet.
func (ns *UserNamespace) Maps() (uids, gids []IDMap) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.uids, ns.gids
}

// SetUIDs and SetGIDs write a map once; they report false if it is there. The
// Outside ids are the parent's.
func (ns *UserNamespace) SetUIDs(m []IDMap) bool { return ns.set(&ns.uids, m) }

// SetGIDs is SetUIDs for group ids.
func (ns *UserNamespace) SetGIDs(m []IDMap) bool { return ns.set(&ns.gids, m) }

func (ns *UserNamespace) set(where *[]IDMap, m []IDMap) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if *where != nil {
		return false
	}
	*where = m
	return true
}

// ToRootUID maps a uid of ns to the root namespace; NoID if it has none.
func (ns *UserNamespace) ToRootUID(id uint32) uint32 { return ns.up(id, (*UserNamespace).uidMap) }

// ToRootGID maps a gid of ns to the root namespace; NoID if it has none.
func (ns *UserNamespace) ToRootGID(id uint32) uint32 { return ns.up(id, (*UserNamespace).gidMap) }

// FromRootUID maps a root-namespace uid into ns, OverflowID if ns has none.
func (ns *UserNamespace) FromRootUID(id uint32) uint32 {
	return overflow(ns.down(id, (*UserNamespace).uidMap))
}

// FromRootGID maps a root-namespace gid into ns, OverflowID if ns has none.
func (ns *UserNamespace) FromRootGID(id uint32) uint32 {
	return overflow(ns.down(id, (*UserNamespace).gidMap))
}

func overflow(id uint32) uint32 {
	if id == NoID {
		return OverflowID
	}
	return id
}

func (ns *UserNamespace) uidMap() []IDMap { u, _ := ns.Maps(); return u }
func (ns *UserNamespace) gidMap() []IDMap { _, g := ns.Maps(); return g }

func (ns *UserNamespace) up(id uint32, maps func(*UserNamespace) []IDMap) uint32 {
	for ; ns.Parent != nil && id != NoID; ns = ns.Parent {
		id = translate(maps(ns), id, true)
	}
	return ns.within(id, maps)
}

// within is id if it is one of the first namespace ns, else NoID.
func (ns *UserNamespace) within(id uint32, maps func(*UserNamespace) []IDMap) uint32 {
	if ns.bounded && !Covers(maps(ns), id, 1) {
		return NoID
	}
	return id
}

func (ns *UserNamespace) down(id uint32, maps func(*UserNamespace) []IDMap) uint32 {
	if ns.Parent == nil {
		return ns.within(id, maps)
	}
	if id == NoID {
		return id
	}
	return translate(maps(ns), ns.Parent.down(id, maps), false)
}

func translate(m []IDMap, id uint32, outward bool) uint32 {
	for _, e := range m {
		from, to := e.Outside, e.Inside
		if outward {
			from, to = to, from
		}
		if id >= from && id-from < e.Count {
			return to + (id - from)
		}
	}
	return NoID
}
