package procfs

import (
	"fmt"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// mapKind is what uid_map and gid_map differ in.
type mapKind struct {
	cap  linux.Capability
	maps func(ns *cred.UserNamespace) []cred.IDMap
	set  func(ns *cred.UserNamespace, m []cred.IDMap) bool
	// up and down translate to and from ids of the first namespace.
	up, down func(ns *cred.UserNamespace, id uint32) uint32
	// own reports whether an id of the first namespace is the writer's, and who
	// may map it alone.
	own func(ns *cred.UserNamespace, c *cred.Credentials, id uint32) bool
}

var uidKind = mapKind{
	cap:  linux.CAP_SETUID,
	maps: func(ns *cred.UserNamespace) []cred.IDMap { u, _ := ns.Maps(); return u },
	set:  (*cred.UserNamespace).SetUIDs, up: (*cred.UserNamespace).ToRootUID, down: (*cred.UserNamespace).FromRootUID,
	own: func(_ *cred.UserNamespace, c *cred.Credentials, id uint32) bool { return id == c.EUID },
}

var gidKind = mapKind{
	cap:  linux.CAP_SETGID,
	maps: func(ns *cred.UserNamespace) []cred.IDMap { _, g := ns.Maps(); return g },
	set:  (*cred.UserNamespace).SetGIDs, up: (*cred.UserNamespace).ToRootGID, down: (*cred.UserNamespace).FromRootGID,
	own: func(ns *cred.UserNamespace, c *cred.Credentials, id uint32) bool {
		return ns.SetgroupsDenied() && id == c.EGID
	},
}

// text shows a map with the outer ids as the reader's namespace has them, or in
// its own the parent's.
func (k *mapKind) text(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	ns, lower := t.Cred().UserNS, o.cred.UserNS
	if lower == ns && lower.Parent != nil {
		lower = lower.Parent
	}
	var b []byte
	for _, e := range k.maps(ns) {
		outside := e.Outside
		if ns.Parent != nil {
			outside = k.down(lower, k.up(ns.Parent, e.Outside))
		}
		b = fmt.Appendf(b, "%10d %10d %10d\n", e.Inside, outside, e.Count)
	}
	return b, nil
}

func projidMapText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil || t.Cred().UserNS.Parent != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%10d %10d %10d\n", 0, 0, cred.NoID), nil
}

// refuseMap is a write of projid_map: no file system here has project ids.
func refuseMap(*opening, []byte) error { return linux.EPERM }

// write sets a map, once (Linux: kernel/user_namespace.c map_write).
func (k *mapKind) write(o *opening, b []byte) error {
	t, err := o.task()
	if err != nil {
		return err
	}
	const page = 4096
	ns, by := t.Cred().UserNS, o.cred
	switch {
	case ns.Parent == nil, by.UserNS != ns && by.UserNS != ns.Parent:
		return linux.EPERM
	case len(b) >= page:
		return linux.EINVAL
	case k.maps(ns) != nil, !by.HasIn(linux.CAP_SYS_ADMIN, ns):
		return linux.EPERM
	}
	m, err := parseMap(string(b))
	if err != nil {
		return err
	}
	if !k.permitted(ns, by, m) {
		return linux.EPERM
	}
	for _, e := range m {
		if ns.Parent.Parent != nil && !cred.Covers(k.maps(ns.Parent), e.Outside, e.Count) {
			return linux.EPERM
		}
	}
	if !k.set(ns, m) {
		return linux.EPERM
	}
	// Ids that answered as overflow have names now.
	for _, x := range o.fs.sys.Tasks() {
		if c := x.Cred(); c.UserNS.Within(ns) {
			x.WithdrawFacts()
		}
	}
	return nil
}

// permitted is Linux's new_idmap_permitted.
func (k *mapKind) permitted(ns *cred.UserNamespace, by *cred.Credentials, m []cred.IDMap) bool {
	if k.cap == linux.CAP_SETUID && mapsRoot(m) {
		if by.UserNS == ns && !ns.SetFCap || by.UserNS != ns && !by.HasIn(linux.CAP_SETFCAP, ns.Parent) {
			return false
		}
	}
	if len(m) == 1 && m[0].Count == 1 && ns.Owner == by.EUID {
		if id := k.up(ns.Parent, m[0].Outside); id != cred.NoID && k.own(ns, by, id) {
			return true
		}
	}
	return by.HasIn(k.cap, ns.Parent)
}

// mapsRoot reports whether the parent's user 0 is mapped.
func mapsRoot(m []cred.IDMap) bool {
	for _, e := range m {
		if e.Outside == 0 {
			return true
		}
	}
	return false
}

// parseMap reads lines of three numbers.
func parseMap(s string) ([]cred.IDMap, error) {
	var m []cred.IDMap
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		f := strings.Fields(line)
		if len(f) != 3 || len(m) == cred.MaxIDMapEntries {
			return nil, linux.EINVAL
		}
		var n [3]uint32
		for i := range n {
			v, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return nil, linux.EINVAL
			}
			n[i] = uint32(v)
		}
		e := cred.IDMap{Inside: n[0], Outside: n[1], Count: n[2]}
		if e.Inside == cred.NoID || e.Outside == cred.NoID || e.Inside+e.Count <= e.Inside || e.Outside+e.Count <= e.Outside {
			return nil, linux.EINVAL
		}
		for _, o := range m {
			if overlap(e.Inside, o.Inside, e.Count, o.Count) || overlap(e.Outside, o.Outside, e.Count, o.Count) {
				return nil, linux.EINVAL
			}
		}
		m = append(m, e)
	}
	return m, nil
}

func overlap(a, b, na, nb uint32) bool { return a < b+nb && b < a+na }

// setgroupsText is /proc/pid/setgroups.
func setgroupsText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	if t.Cred().UserNS.SetgroupsDenied() {
		return []byte("deny\n"), nil
	}
	return []byte("allow\n"), nil
}

// maySetgroups is the file's open.
func maySetgroups(o *opening) error {
	t, err := o.task()
	if err != nil {
		return err
	}
	if o.writing && !o.cred.HasIn(linux.CAP_SYS_ADMIN, t.Cred().UserNS) {
		return linux.EACCES
	}
	return nil
}

func writeSetgroups(o *opening, b []byte) error {
	t, err := o.task()
	if err != nil {
		return err
	}
	ns := t.Cred().UserNS
	word, _, _ := strings.Cut(string(b), "\x00") // as Linux's, it ends there
	switch strings.TrimRight(word, " \t\n") {
	case "allow":
		if ns.SetgroupsDenied() {
			return linux.EPERM
		}
		return nil
	case "deny":
		if !ns.DenySetgroups() {
			return linux.EPERM
		}
		return nil
	}
	return linux.EINVAL
}
