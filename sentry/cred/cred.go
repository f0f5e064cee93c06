// Package cred holds user identities and capabilities.
//
// # Objects
//
// Credentials are immutable: a change makes a copy, and a task swaps its
// pointer. A UserNamespace maps ids; the root one maps every id to itself.
package cred

import (
	"slices"

	"cordon/internal/linux"
)

// CapSet is a set of capabilities, bit n for capability n (capabilities(7)).
type CapSet uint64

// LastCap is the highest capability of Linux 6.12, CAP_CHECKPOINT_RESTORE.
const LastCap = 40

// AllCaps is the full set.
const AllCaps CapSet = 1<<(LastCap+1) - 1

// Has reports whether c is in s.
func (s CapSet) Has(c linux.Capability) bool { return s>>uint(c)&1 != 0 }

// NoID is the id of nobody: (uid_t)-1.
const NoID = ^uint32(0)

// OverflowID stands for an id that a namespace does not map.
const OverflowID = 65534

// Securebits are prctl(PR_SET_SECUREBITS)'s flags.
type Securebits uint32

// Credentials are a task's identity. Ids are those of the root user namespace
// (Linux's kuid_t). Nothing changes in place.
type Credentials struct {
	// immutable
	RUID, EUID, SUID, FSUID uint32
	RGID, EGID, SGID, FSGID uint32
	Groups                  []uint32 // sorted

	Permitted, Effective, Inheritable CapSet
	Bounding, Ambient                 CapSet

	Securebits Securebits
	NoNewPrivs bool

	UserNS *UserNamespace
	// Domain restricts its owner beyond permissions; nil: nothing does.
	Domain Domain
}

// A Domain is what landlock(7) forbids a task. Package vfs has the only one.
type Domain interface{ Restricts() }

// Root returns the credentials of the first process: root with the
// capabilities of caps in every set but the ambient.
func Root(ns *UserNamespace, caps CapSet) *Credentials {
	return &Credentials{Permitted: caps, Effective: caps, Bounding: caps, UserNS: ns}
}

// Clone returns a copy for the caller to change before anyone else sees it.
func (c *Credentials) Clone() *Credentials {
	d := *c
	d.Groups = slices.Clone(c.Groups)
	return &d
}

// InGroup reports whether gid is the file system group or a supplementary one.
func (c *Credentials) InGroup(gid uint32) bool {
	if c.FSGID == gid {
		return true
	}
	_, ok := slices.BinarySearch(c.Groups, gid)
	return ok
}

// Has reports whether c has capability p in its own user namespace.
func (c *Credentials) Has(p linux.Capability) bool { return c.Effective.Has(p) }

// HasRoot reports whether c has capability p over the whole sandbox: in the first
// user namespace (Linux: capable).
func (c *Credentials) HasRoot(p linux.Capability) bool {
	return c.UserNS.Parent == nil && c.Effective.Has(p)
}

// In returns c as it is in another user namespace, with all capabilities there.
func (c *Credentials) In(ns *UserNamespace) *Credentials {
	n := c.Clone()
	n.UserNS, n.Securebits = ns, 0
	n.Permitted, n.Effective, n.Bounding, n.Inheritable, n.Ambient = AllCaps, AllCaps, AllCaps, 0, 0
	return n
}

// HasIn reports whether c has capability p in ns: by having it in ns or an
// ancestor of ns, or by owning a namespace on the way (user_namespaces(7)).
func (c *Credentials) HasIn(p linux.Capability, ns *UserNamespace) bool {
	for ; ns != nil; ns = ns.Parent {
		if c.UserNS == ns {
			return c.Effective.Has(p)
		}
		if ns.Parent == c.UserNS && ns.Owner == c.EUID {
			return true
		}
	}
	return false
}
