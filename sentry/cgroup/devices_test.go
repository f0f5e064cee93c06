package cgroup

import (
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/ebpf"
)

// program returns one that grants everything, or nothing.
func program(t *testing.T, all *ebpf.Programs, grants byte) *ebpf.Program {
	t.Helper()
	const mov, exit = 0xb7, 0x95
	p, log, e := all.Load(&ebpf.Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: []byte{mov, 0, 0, 0, grants, 0, 0, 0, exit, 0, 0, 0, 0, 0, 0, 0}})
	if e != 0 {
		t.Fatalf("%v: %s", e, log)
	}
	return p
}

func TestDevices(t *testing.T) {
	const override, multi, replace = linux.BPF_F_ALLOW_OVERRIDE, linux.BPF_F_ALLOW_MULTI, linux.BPF_F_REPLACE
	all := new(ebpf.Programs)
	yes, no, other := program(t, all, 1), program(t, all, 0), program(t, all, 1)
	h := New()
	g, _ := h.Root().Make("g", 0, 0, 0o755)
	k, _ := g.Make("k", 0, 0, 0o755)
	want := func(what string, got error, want error) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	has := func(g *Group, effective bool, want ...*ebpf.Program) {
		t.Helper()
		if got, _ := g.Devices(effective); !slices.Equal(got, want) {
			t.Errorf("%d programs, want %d", len(got), len(want))
		}
	}
	grants := func(g *Group, want bool) {
		t.Helper()
		if got := g.MayUseDevice(&ebpf.Request{Access: linux.BPF_DEVCG_ACC_READ, Major: 1, Minor: 3}); got != want {
			t.Errorf("granted: %v", got)
		}
	}
	grants(k, true)
	want("both modes", g.AttachDevices(yes, override|multi, nil), linux.EINVAL)
	want("a replacement without others", g.AttachDevices(yes, replace, yes), linux.EINVAL)

	want("alone", g.AttachDevices(no, 0, nil), nil)
	want("a child of such a one", k.AttachDevices(yes, 0, nil), linux.EPERM)
	want("in another mode", g.AttachDevices(yes, multi, nil), linux.EPERM)
	grants(k, false)
	want("in its place", g.AttachDevices(yes, 0, nil), nil)
	has(g, false, yes)
	grants(k, true)
	want("taking what there is", g.DetachDevices(nil), nil)
	want("taking nothing", g.DetachDevices(nil), linux.ENOENT)

	want("one to override", g.AttachDevices(no, override, nil), nil)
	want("overridden", k.AttachDevices(yes, 0, nil), nil)
	has(k, true, yes)
	grants(k, true)
	grants(g, false)
	want("back", k.DetachDevices(yes), nil)
	grants(k, false)
	want("back", g.DetachDevices(no), nil)

	want("one of several", g.AttachDevices(yes, multi, nil), nil)
	want("twice", g.AttachDevices(yes, multi, nil), linux.EINVAL)
	want("another", g.AttachDevices(other, multi, nil), nil)
	want("in a child", k.AttachDevices(yes, multi, nil), nil)
	has(k, true, yes, yes, other)
	want("for one that is not there", g.AttachDevices(no, multi|replace, no), linux.ENOENT)
	want("for one that is", g.AttachDevices(no, multi|replace, yes), nil)
	has(g, false, no, other)
	grants(k, false)
	want("for itself", g.AttachDevices(other, multi|replace, other), nil)
	want("taking any", g.DetachDevices(nil), linux.EINVAL)
	want("taking one that is not there", g.DetachDevices(yes), linux.ENOENT)
	want("taking one", g.DetachDevices(no), nil)
	grants(k, true)

	for _, p := range []*ebpf.Program{yes, no, other} {
		p.DecRef()
	}
	if all.Get(no.ID()) != nil || all.Next(yes.ID()) != other.ID() {
		t.Error("programs live as long as groups have them")
	}
	for _, g := range []*Group{k, g} {
		if e := g.Remove(); e != 0 {
			t.Fatal(e)
		}
	}
	if all.Next(0) != 0 {
		t.Error("removed groups keep programs")
	}
}
