package syscalls

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/cred"
	"cordon/sentry/task"
)

// keep is the id argument that leaves an id as it is.
const keep = cred.NoID

func sysGetuid(t *task.Task) (uintptr, error) {
	return uintptr(t.Cred().UserNS.FromRootUID(t.Cred().RUID)), nil
}

func sysGeteuid(t *task.Task) (uintptr, error) {
	return uintptr(t.Cred().UserNS.FromRootUID(t.Cred().EUID)), nil
}

func sysGetgid(t *task.Task) (uintptr, error) {
	return uintptr(t.Cred().UserNS.FromRootGID(t.Cred().RGID)), nil
}

func sysGetegid(t *task.Task) (uintptr, error) {
	return uintptr(t.Cred().UserNS.FromRootGID(t.Cred().EGID)), nil
}

// storeIDs writes three ids.
func storeIDs(t *task.Task, to [3]arg.Out[uint32], ids [3]uint32) (uintptr, error) {
	for i := range to {
		if err := to[i].Store(t.MM(), &ids[i]); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// sysGetresuid is getresuid(2).
func sysGetresuid(t *task.Task, r, e, s arg.Out[uint32]) (uintptr, error) {
	c := t.Cred()
	ns := c.UserNS
	return storeIDs(t, [3]arg.Out[uint32]{r, e, s}, [3]uint32{ns.FromRootUID(c.RUID), ns.FromRootUID(c.EUID), ns.FromRootUID(c.SUID)})
}

// sysGetresgid is getresgid(2).
func sysGetresgid(t *task.Task, r, e, s arg.Out[uint32]) (uintptr, error) {
	c := t.Cred()
	ns := c.UserNS
	return storeIDs(t, [3]arg.Out[uint32]{r, e, s}, [3]uint32{ns.FromRootGID(c.RGID), ns.FromRootGID(c.EGID), ns.FromRootGID(c.SGID)})
}

// mapUID maps an argument into the root namespace; keep stays.
func mapUID(t *task.Task, id uint32) (uint32, error) {
	if id == keep {
		return keep, nil
	}
	if id = t.Cred().UserNS.ToRootUID(id); id == cred.NoID {
		return 0, linux.EINVAL
	}
	return id, nil
}

func mapGID(t *task.Task, id uint32) (uint32, error) {
	if id == keep {
		return keep, nil
	}
	if id = t.Cred().UserNS.ToRootGID(id); id == cred.NoID {
		return 0, linux.EINVAL
	}
	return id, nil
}

// setCred makes n the task's identity: a changed one is not dumpable.
func setCred(t *task.Task, n *cred.Credentials) {
	old := t.Cred()
	if old.EUID != n.EUID || old.EGID != n.EGID || old.FSUID != n.FSUID || old.FSGID != n.FSGID || old.Permitted&n.Permitted != n.Permitted {
		t.SetDumpable(false)
		t.ClearParentDeath()
	}
	t.SetCred(n)
}

// sysSetuid is setuid(2).
func sysSetuid(t *task.Task, uid arg.UID) (uintptr, error) {
	id, err := mapUID(t, uint32(uid))
	if err != nil || id == keep {
		return 0, linux.EINVAL
	}
	c := t.Cred()
	n := c.Clone()
	if c.Has(linux.CAP_SETUID) {
		n.RUID, n.SUID = id, id
	} else if id != c.RUID && id != c.SUID {
		return 0, linux.EPERM
	}
	n.EUID, n.FSUID = id, id
	n.AfterSetUID(c)
	setCred(t, n)
	return 0, nil
}

// sysSetgid is setgid(2).
func sysSetgid(t *task.Task, gid arg.UID) (uintptr, error) {
	id, err := mapGID(t, uint32(gid))
	if err != nil || id == keep {
		return 0, linux.EINVAL
	}
	c := t.Cred()
	n := c.Clone()
	if c.Has(linux.CAP_SETGID) {
		n.RGID, n.SGID = id, id
	} else if id != c.RGID && id != c.SGID {
		return 0, linux.EPERM
	}
	n.EGID, n.FSGID = id, id
	setCred(t, n)
	return 0, nil
}

// sysSetreuid is setreuid(2).
func sysSetreuid(t *task.Task, ruid, euid arg.UID) (uintptr, error) {
	r, err := mapUID(t, uint32(ruid))
	if err != nil {
		return 0, err
	}
	e, err := mapUID(t, uint32(euid))
	if err != nil {
		return 0, err
	}
	c := t.Cred()
	priv := c.Has(linux.CAP_SETUID)
	n := c.Clone()
	if r != keep {
		if !priv && r != c.RUID && r != c.EUID {
			return 0, linux.EPERM
		}
		n.RUID = r
	}
	if e != keep {
		if !priv && e != c.RUID && e != c.EUID && e != c.SUID {
			return 0, linux.EPERM
		}
		n.EUID = e
	}
	if r != keep || e != keep && e != c.RUID {
		n.SUID = n.EUID
	}
	n.FSUID = n.EUID
	n.AfterSetUID(c)
	setCred(t, n)
	return 0, nil
}

// sysSetregid is setregid(2).
func sysSetregid(t *task.Task, rgid, egid arg.UID) (uintptr, error) {
	r, err := mapGID(t, uint32(rgid))
	if err != nil {
		return 0, err
	}
	e, err := mapGID(t, uint32(egid))
	if err != nil {
		return 0, err
	}
	c := t.Cred()
	priv := c.Has(linux.CAP_SETGID)
	n := c.Clone()
	if r != keep {
		if !priv && r != c.RGID && r != c.EGID {
			return 0, linux.EPERM
		}
		n.RGID = r
	}
	if e != keep {
		if !priv && e != c.RGID && e != c.EGID && e != c.SGID {
			return 0, linux.EPERM
		}
		n.EGID = e
	}
	if r != keep || e != keep && e != c.RGID {
		n.SGID = n.EGID
	}
	n.FSGID = n.EGID
	setCred(t, n)
	return 0, nil
}

// sysSetresuid is setresuid(2).
func sysSetresuid(t *task.Task, ruid, euid, suid arg.UID) (uintptr, error) {
	c := t.Cred()
	n := c.Clone()
	for _, x := range []struct {
		id arg.UID
		to *uint32
	}{{ruid, &n.RUID}, {euid, &n.EUID}, {suid, &n.SUID}} {
		id, err := mapUID(t, uint32(x.id))
		if err != nil {
			return 0, err
		}
		if id == keep {
			continue
		}
		if !c.Has(linux.CAP_SETUID) && id != c.RUID && id != c.EUID && id != c.SUID {
			return 0, linux.EPERM
		}
		*x.to = id
	}
	n.FSUID = n.EUID
	n.AfterSetUID(c)
	setCred(t, n)
	return 0, nil
}

// sysSetresgid is setresgid(2).
func sysSetresgid(t *task.Task, rgid, egid, sgid arg.UID) (uintptr, error) {
	c := t.Cred()
	n := c.Clone()
	for _, x := range []struct {
		id arg.UID
		to *uint32
	}{{rgid, &n.RGID}, {egid, &n.EGID}, {sgid, &n.SGID}} {
		id, err := mapGID(t, uint32(x.id))
		if err != nil {
			return 0, err
		}
		if id == keep {
			continue
		}
		if !c.Has(linux.CAP_SETGID) && id != c.RGID && id != c.EGID && id != c.SGID {
			return 0, linux.EPERM
		}
		*x.to = id
	}
	n.FSGID = n.EGID
	setCred(t, n)
	return 0, nil
}

// sysSetfsuid is setfsuid(2): it returns the id before, whatever happens.
func sysSetfsuid(t *task.Task, uid arg.UID) (uintptr, error) {
	c := t.Cred()
	old := uintptr(c.UserNS.FromRootUID(c.FSUID))
	id, err := mapUID(t, uint32(uid))
	if err != nil || id == keep {
		return old, nil
	}
	if id == c.RUID || id == c.EUID || id == c.SUID || id == c.FSUID || c.Has(linux.CAP_SETUID) {
		n := c.Clone()
		n.FSUID = id
		n.AfterSetFSUID(c.FSUID)
		setCred(t, n)
	}
	return old, nil
}

// sysSetfsgid is setfsgid(2).
func sysSetfsgid(t *task.Task, gid arg.UID) (uintptr, error) {
	c := t.Cred()
	old := uintptr(c.UserNS.FromRootGID(c.FSGID))
	id, err := mapGID(t, uint32(gid))
	if err != nil || id == keep {
		return old, nil
	}
	if id == c.RGID || id == c.EGID || id == c.SGID || id == c.FSGID || c.Has(linux.CAP_SETGID) {
		n := c.Clone()
		n.FSGID = id
		setCred(t, n)
	}
	return old, nil
}

// maxGroups is NGROUPS_MAX.
const maxGroups = 65536

// sysGetgroups is getgroups(2).
func sysGetgroups(t *task.Task, n arg.Count, list arg.Out[uint32]) (uintptr, error) {
	if n < 0 {
		return 0, linux.EINVAL
	}
	c := t.Cred()
	if n == 0 {
		return uintptr(len(c.Groups)), nil
	}
	if int(n) < len(c.Groups) {
		return 0, linux.EINVAL
	}
	ids := make([]uint32, len(c.Groups))
	for i, g := range c.Groups {
		ids[i] = c.UserNS.FromRootGID(g)
	}
	return uintptr(len(ids)), list.StoreAll(t.MM(), ids)
}

// sysSetgroups is setgroups(2).
func sysSetgroups(t *task.Task, n arg.Count, list arg.In[uint32]) (uintptr, error) {
	c := t.Cred()
	if !c.Has(linux.CAP_SETGID) || !c.UserNS.MaySetgroups() {
		return 0, linux.EPERM
	}
	if n < 0 || n > maxGroups {
		return 0, linux.EINVAL
	}
	ids, err := list.LoadAll(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	for i := range ids {
		if ids[i] = c.UserNS.ToRootGID(ids[i]); ids[i] == cred.NoID {
			return 0, linux.EINVAL
		}
	}
	slices.Sort(ids)
	d := c.Clone()
	d.Groups = ids
	setCred(t, d)
	return 0, nil
}

// capVersions give how many words of capabilities a header's version means.
func capWords(version uint32) (int, bool) {
	switch version {
	case linux.LINUX_CAPABILITY_VERSION_1:
		return 1, true
	case linux.LINUX_CAPABILITY_VERSION_2, linux.LINUX_CAPABILITY_VERSION_3:
		return 2, true
	}
	return 0, false
}

func capHeader(t *task.Task, hdr arg.InOut[linux.CapUserHeader], data uint64) (h linux.CapUserHeader, words int, err error) {
	if h, err = hdr.Load(t.MM()); err != nil {
		return h, 0, err
	}
	words, known := capWords(h.Version)
	if !known {
		h.Version = linux.LINUX_CAPABILITY_VERSION_3
		if err := hdr.Store(t.MM(), &h); err != nil {
			return h, 0, err
		}
		if data == 0 {
			return h, 0, nil // a probe for the version
		}
		return h, 0, linux.EINVAL
	}
	if h.PID < 0 {
		return h, 0, linux.EINVAL
	}
	return h, words, nil
}

// sysCapget is capget(2).
func sysCapget(t *task.Task, hdr arg.InOut[linux.CapUserHeader], out arg.Out[linux.CapUserData]) (uintptr, error) {
	h, words, err := capHeader(t, hdr, uint64(out))
	if err != nil || words == 0 || out == 0 {
		return 0, err
	}
	target := t
	if h.PID != 0 {
		if target = t.Find(h.PID); target == nil {
			return 0, linux.ESRCH
		}
	}
	c := target.Cred()
	data := make([]linux.CapUserData, words)
	for i := range data {
		s := 32 * i
		data[i] = linux.CapUserData{Effective: uint32(c.Effective >> s), Permitted: uint32(c.Permitted >> s), Inheritable: uint32(c.Inheritable >> s)}
	}
	return 0, out.StoreAll(t.MM(), data)
}

// sysCapset is capset(2).
func sysCapset(t *task.Task, hdr arg.InOut[linux.CapUserHeader], in arg.In[linux.CapUserData]) (uintptr, error) {
	h, words, err := capHeader(t, hdr, uint64(in))
	if err != nil || words == 0 {
		return 0, err
	}
	if h.PID != 0 && h.PID != t.OwnTID() {
		return 0, linux.EPERM
	}
	data, err := in.LoadAll(t.MM(), words)
	if err != nil {
		return 0, err
	}
	var e, p, i cred.CapSet
	for k, d := range data {
		e |= cred.CapSet(d.Effective) << (32 * k)
		p |= cred.CapSet(d.Permitted) << (32 * k)
		i |= cred.CapSet(d.Inheritable) << (32 * k)
	}
	e, p, i = e&cred.AllCaps, p&cred.AllCaps, i&cred.AllCaps
	c := t.Cred()
	switch {
	case i&^(c.Inheritable|c.Permitted) != 0 && !c.Has(linux.CAP_SETPCAP),
		i&^(c.Inheritable|c.Bounding) != 0,
		p&^c.Permitted != 0,
		e&^p != 0:
		return 0, linux.EPERM
	}
	n := c.Clone()
	n.Effective, n.Permitted, n.Inheritable = e, p, i
	n.Ambient &= p & i
	setCred(t, n)
	return 0, nil
}
