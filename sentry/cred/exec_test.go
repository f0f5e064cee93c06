package cred

import (
	"testing"

	"cordon/internal/linux"
)

// TestForExec follows capabilities(7), "Transformation of capabilities during
// execve()", and Linux where the page is silent.
func TestForExec(t *testing.T) {
	ns := NewRootNamespace()
	const net, raw = CapSet(1) << linux.CAP_NET_ADMIN, CapSet(1) << linux.CAP_NET_RAW
	user := func(change func(*Credentials)) *Credentials {
		c := &Credentials{RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, RGID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000, Bounding: AllCaps, UserNS: ns}
		if change != nil {
			change(c)
		}
		return c
	}
	root := func(change func(*Credentials)) *Credentials {
		c := Root(ns, AllCaps)
		if change != nil {
			change(c)
		}
		return c
	}
	plain := Executable{Mode: 0o755}
	suid := Executable{Mode: 0o755 | linux.S_ISUID}
	for _, c := range []struct {
		name       string
		from       *Credentials
		file       Executable
		euid, egid uint32
		p, e, a    CapSet
		secure     bool
		errno      linux.Errno
	}{
		{name: "plain program of a user", from: user(nil), file: plain, euid: 1000, egid: 1000},
		{name: "plain program of root", from: root(nil), file: plain, p: AllCaps, e: AllCaps},
		{name: "root's bounding set bounds", from: root(func(c *Credentials) { c.Bounding = net }), file: plain, p: net, e: net},
		{name: "SECBIT_NOROOT", from: root(func(c *Credentials) { c.Securebits = SecureNoRoot }), file: plain},
		{name: "set-user-id root", from: user(nil), file: suid, egid: 1000, p: AllCaps, e: AllCaps, secure: true},
		{name: "set-user-id root on a nosuid mount", from: user(nil), file: Executable{Mode: suid.Mode, NoSetID: true}, euid: 1000, egid: 1000},
		{name: "set-user-id root with no_new_privs", from: user(func(c *Credentials) { c.NoNewPrivs = true }), file: suid, euid: 1000, egid: 1000},
		{name: "set-group-id", from: user(nil), file: Executable{Mode: 0o755 | linux.S_ISGID, GID: 5}, euid: 1000, egid: 5, secure: true},
		{name: "mandatory locking is no set-group-id", from: user(nil), file: Executable{Mode: 0o745 | linux.S_ISGID, GID: 5}, euid: 1000, egid: 1000},
		{name: "no_new_privs gives root nothing back", from: root(func(c *Credentials) { c.NoNewPrivs, c.Permitted, c.Effective = true, net, net }), file: plain, p: net, e: net},
		{
			name: "no_new_privs takes an effective id back", from: user(func(c *Credentials) { c.NoNewPrivs, c.EUID, c.Permitted = true, 0, net }),
			file: plain, euid: 1000, egid: 1000, p: net, e: net, secure: true,
		},
		{
			name: "file capabilities", from: user(nil), file: Executable{Mode: 0o755, HasFileCaps: true, FilePermitted: raw, FileEffective: true},
			euid: 1000, egid: 1000, p: raw, e: raw, secure: true,
		},
		{
			name: "file capabilities not in force", from: user(nil), file: Executable{Mode: 0o755, HasFileCaps: true, FilePermitted: raw},
			euid: 1000, egid: 1000, p: raw, secure: true,
		},
		{
			name: "file capabilities beyond the bounding set", from: user(func(c *Credentials) { c.Bounding = net }),
			file: Executable{Mode: 0o755, HasFileCaps: true, FilePermitted: raw, FileEffective: true}, errno: linux.EPERM,
		},
		{
			name: "inheritable", from: user(func(c *Credentials) { c.Inheritable = net | raw }),
			file: Executable{Mode: 0o755, HasFileCaps: true, FileInheritable: raw, FileEffective: true}, euid: 1000, egid: 1000, p: raw, e: raw, secure: true,
		},
		{
			name: "ambient", from: user(func(c *Credentials) { c.Permitted, c.Inheritable, c.Ambient = net, net, net }), file: plain,
			euid: 1000, egid: 1000, p: net, e: net, a: net,
		},
		{
			name: "file capabilities end ambient ones", from: user(func(c *Credentials) { c.Permitted, c.Inheritable, c.Ambient = net, net, net }),
			file: Executable{Mode: 0o755, HasFileCaps: true, FilePermitted: raw, FileEffective: true}, euid: 1000, egid: 1000, p: raw, e: raw, secure: true,
		},
		{
			name: "set-user-id root with file capabilities has only those", from: user(nil),
			file: Executable{Mode: suid.Mode, HasFileCaps: true, FilePermitted: raw, FileEffective: true}, egid: 1000, p: raw, e: raw, secure: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := *c.from
			n, secure, e := c.from.ForExec(&c.file)
			if e != c.errno {
				t.Fatalf("errno %v, want %v", e, c.errno)
			}
			if e != 0 {
				return
			}
			if n.EUID != c.euid || n.SUID != c.euid || n.FSUID != c.euid || n.EGID != c.egid || n.SGID != c.egid || n.FSGID != c.egid {
				t.Errorf("ids %d %d", n.EUID, n.EGID)
			}
			if n.Permitted != c.p || n.Effective != c.e || n.Ambient != c.a || secure != c.secure {
				t.Errorf("permitted %x effective %x ambient %x secure %v; want %x %x %x %v", n.Permitted, n.Effective, n.Ambient, secure, c.p, c.e, c.a, c.secure)
			}
			if before.EUID != c.from.EUID || before.Permitted != c.from.Permitted {
				t.Error("the old identity has changed")
			}
		})
	}
}

func TestAfterSetUID(t *testing.T) {
	ns := NewRootNamespace()
	for _, c := range []struct {
		name    string
		bits    Securebits
		r, e, s uint32
		p, eff  CapSet
	}{
		{"no id is root's any more", 0, 1, 1, 1, 0, 0},
		{"the effective id is not root's", 0, 0, 1, 0, AllCaps, 0},
		{"keepcaps", SecureKeepCaps, 1, 1, 1, AllCaps, 0},
		{"no fixup", SecureNoSetUIDFix, 1, 1, 1, AllCaps, AllCaps},
	} {
		old := Root(ns, AllCaps)
		old.Securebits = c.bits
		n := old.Clone()
		n.RUID, n.EUID, n.SUID, n.FSUID = c.r, c.e, c.s, c.e
		n.AfterSetUID(old)
		if n.Permitted != c.p || n.Effective != c.eff {
			t.Errorf("%s: permitted %x effective %x", c.name, n.Permitted, n.Effective)
		}
	}
}
