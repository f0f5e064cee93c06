package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// landlockVersion is the version of the ABI: rights to files without
// LANDLOCK_ACCESS_FS_REFER and later ones.
const landlockVersion = 1

// sysLandlockCreateRuleset is landlock_create_ruleset(2).
//
// Partial: version 1 of the ABI, as in Linux 5.13
func sysLandlockCreateRuleset(t *task.Task, attr arg.In[linux.LandlockRulesetAttr], size arg.Size, flags linux.LandlockRulesetFlags) (uintptr, error) {
	if flags != 0 {
		if flags == linux.LANDLOCK_CREATE_RULESET_VERSION && attr == 0 && size == 0 {
			return landlockVersion, nil
		}
		return 0, linux.EINVAL
	}
	const v0 = 8
	switch {
	case attr == 0:
		return 0, linux.EFAULT
	case size < v0:
		return 0, linux.EINVAL
	case size > linux.PageSize:
		return 0, linux.E2BIG
	}
	a, err := loadVersioned[linux.LandlockRulesetAttr](t.MM(), uint64(attr), uint64(size))
	if err != nil {
		return 0, err
	}
	d, err := t.System().VFS.NewRuleset(t.Caller(), a.HandledAccessFS)
	if err != nil {
		return 0, err
	}
	return install(t, d, linux.O_CLOEXEC)
}

// rulesetOf returns the ruleset behind fd and what keeps it.
func rulesetOf(t *task.Task, fd linux.FD) (*vfs.Ruleset, *vfs.Description, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, nil, err
	}
	if r, ok := d.File().(*vfs.Ruleset); ok {
		return r, d, nil
	}
	pathOnly := d.PathOnly()
	d.DecRef()
	if pathOnly {
		return nil, nil, linux.EBADF
	}
	return nil, nil, linux.EBADFD
}

// sysLandlockAddRule is landlock_add_rule(2).
//
// Partial: rules for paths
func sysLandlockAddRule(t *task.Task, fd linux.FD, kind linux.LandlockRuleType, attr arg.Addr, flags uint32) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	r, d, err := rulesetOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if kind != linux.LANDLOCK_RULE_PATH_BENEATH {
		return 0, linux.EINVAL
	}
	// struct landlock_path_beneath_attr is packed.
	access, err := arg.In[linux.LandlockAccessFS](attr).Load(t.MM())
	if err != nil {
		return 0, err
	}
	parent, err := arg.In[linux.FD](attr + 8).Load(t.MM())
	if err != nil {
		return 0, err
	}
	if err := r.Handles(access); err != nil {
		return 0, err
	}
	p, err := get(t, parent)
	if err != nil {
		return 0, err
	}
	defer p.DecRef()
	return 0, r.Add(p.Path(), access)
}

// sysLandlockRestrictSelf is landlock_restrict_self(2).
func sysLandlockRestrictSelf(t *task.Task, fd linux.FD, flags uint32) (uintptr, error) {
	if c := t.Cred(); !c.NoNewPrivs && !c.Has(linux.CAP_SYS_ADMIN) {
		return 0, linux.EPERM
	}
	if flags != 0 {
		return 0, linux.EINVAL
	}
	r, d, err := rulesetOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	domain, err := r.Restrict(t.Caller())
	if err != nil {
		return 0, err
	}
	c := t.Cred().Clone()
	c.Domain = domain
	t.SetCred(c)
	return 0, nil
}
