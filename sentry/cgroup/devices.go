package cgroup

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/ebpf"
)

// maxDevicePrograms is how many programs a group may have (Linux: BPF_CGROUP_MAX_PROGS).
const maxDevicePrograms = 64

// A deviceGuard is the programs that decide about the devices of a group's processes. It is replaced, never changed.
type deviceGuard struct {
	flags linux.BPFAttachFlags // BPF_F_ALLOW_OVERRIDE or BPF_F_ALLOW_MULTI
	progs []*ebpf.Program      // each with a reference
}

func (d *deviceGuard) len() int {
	if d == nil {
		return 0
	}
	return len(d.progs)
}

func (d *deviceGuard) multi() bool { return d != nil && d.flags&linux.BPF_F_ALLOW_MULTI != 0 }

// AttachDevices has p decide about the devices of g's processes: with BPF_F_ALLOW_MULTI beside others, in the place of
// replace if that is not nil, otherwise in the place of the one there is (Linux: kernel/bpf/cgroup.c __cgroup_bpf_attach).
// EPERM: a group above, or what g has already, does not allow it.
func (g *Group) AttachDevices(p *ebpf.Program, flags linux.BPFAttachFlags, replace *ebpf.Program) error {
	const modes = linux.BPF_F_ALLOW_OVERRIDE | linux.BPF_F_ALLOW_MULTI
	mode := flags & modes
	if flags&^(modes|linux.BPF_F_REPLACE) != 0 || mode == modes || flags&linux.BPF_F_REPLACE != 0 && mode != linux.BPF_F_ALLOW_MULTI {
		return linux.EINVAL
	}
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	was := g.devices.Load()
	if !g.mayAttachLocked() || was.len() > 0 && was.flags != mode {
		return linux.EPERM
	}
	if was.len() >= maxDevicePrograms {
		return linux.E2BIG
	}
	var progs []*ebpf.Program
	if was != nil {
		progs = slices.Clone(was.progs)
	}
	at := len(progs)
	switch {
	case mode&linux.BPF_F_ALLOW_MULTI == 0:
		at = 0
	case replace != p && slices.Contains(progs, p):
		return linux.EINVAL
	case replace != nil:
		if at = slices.Index(progs, replace); at < 0 {
			return linux.ENOENT
		}
	}
	p.IncRef()
	if at < len(progs) {
		progs[at].DecRef()
		progs[at] = p
	} else {
		progs = append(progs, p)
	}
	g.devices.Store(&deviceGuard{mode, progs})
	return nil
}

// mayAttachLocked says whether the groups above let g have programs (Linux: hierarchy_allows_attach).
func (g *Group) mayAttachLocked() bool {
	for up := g.parent; up != nil; up = up.parent {
		d := up.devices.Load()
		if d.multi() {
			return true
		}
		if d.len() > 0 {
			return d.flags&linux.BPF_F_ALLOW_OVERRIDE != 0
		}
	}
	return true
}

// DetachDevices takes p from g's programs; nil: the only one, where there cannot be others. ENOENT: g does not have it.
func (g *Group) DetachDevices(p *ebpf.Program) error {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	d := g.devices.Load()
	at := 0
	switch {
	case d.multi() && p == nil:
		return linux.EINVAL
	case d.multi():
		at = slices.Index(d.progs, p)
	}
	if d.len() == 0 || at < 0 {
		return linux.ENOENT
	}
	d.progs[at].DecRef()
	rest := slices.Delete(slices.Clone(d.progs), at, at+1)
	if len(rest) == 0 {
		g.devices.Store(nil)
	} else {
		g.devices.Store(&deviceGuard{d.flags, rest})
	}
	return nil
}

// Devices returns the programs of g and how they were attached; effective: all that decide about its processes.
func (g *Group) Devices(effective bool) ([]*ebpf.Program, linux.BPFAttachFlags) {
	d := g.devices.Load()
	if !effective {
		if d == nil {
			return nil, 0
		}
		return d.progs, d.flags
	}
	var all []*ebpf.Program
	for up := g; up != nil; up = up.parent {
		if d := up.devices.Load(); d.len() > 0 && (len(all) == 0 || d.multi()) {
			all = append(all, d.progs...)
		}
	}
	return all, 0
}

// MayUseDevice says whether all programs that decide about g's processes grant a request.
func (g *Group) MayUseDevice(r *ebpf.Request) bool {
	some := false
	for up := g; up != nil; up = up.parent {
		d := up.devices.Load()
		if d.len() == 0 || some && !d.multi() {
			continue
		}
		some = true
		for _, p := range d.progs {
			if !p.Allows(r) {
				return false
			}
		}
	}
	return true
}

// dropDevicesLocked lets the programs of g, which is removed, go.
func (g *Group) dropDevicesLocked() {
	if d := g.devices.Swap(nil); d != nil {
		for _, p := range d.progs {
			p.DecRef()
		}
	}
}
