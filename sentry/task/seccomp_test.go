package task

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/bpf"
)

// verdictFor returns a program that says verdict for one call, and else allows
// it.
func verdictFor(t *testing.T, nr, verdict uint32) *bpf.Program {
	const load, equal, ret = 0x20, 0x15, 0x06
	p, err := bpf.CompileSeccomp([]linux.SockFilter{{Code: load}, {Code: equal, K: nr, Jf: 1}, {Code: ret, K: verdict}, {Code: ret, K: uint32(linux.SECCOMP_RET_ALLOW)}})
	if err != 0 {
		t.Fatal(err)
	}
	return p
}

func push(t *testing.T, f *Filter, p *bpf.Program) *Filter {
	f, e := f.push(p, false, nil)
	if e != 0 {
		t.Fatal(e)
	}
	return f
}

// The most severe of a list's verdicts counts, of the same ones the newest.
func TestFilterVerdict(t *testing.T) {
	errno := func(n uint32) uint32 { return uint32(linux.SECCOMP_RET_ERRNO) | n }
	var f *Filter
	f = push(t, f, verdictFor(t, 39, errno(1)))
	f = push(t, f, verdictFor(t, 39, errno(2)))
	f = push(t, f, verdictFor(t, 40, uint32(linux.SECCOMP_RET_LOG)))
	f = push(t, f, verdictFor(t, 40, uint32(linux.SECCOMP_RET_KILL_PROCESS)))
	f = push(t, f, verdictFor(t, 40, uint32(linux.SECCOMP_RET_KILL_THREAD)))
	none := func() *bpf.Call { t.Fatal("the arguments were looked at"); return nil }
	for range 2 { // the second from the cache
		for nr, want := range map[uint32]uint32{39: errno(2), 40: uint32(linux.SECCOMP_RET_KILL_PROCESS), 41: uint32(linux.SECCOMP_RET_ALLOW)} {
			if got := f.verdict(nr, none); got != want {
				t.Errorf("call %d: %#x, want %#x", nr, got, want)
			}
		}
	}
	if f.allows(39) || !f.allows(41) || f.filters != 5 {
		t.Errorf("allows %v, %v of %d filters", f.allows(39), f.allows(41), f.filters)
	}
}

// A verdict that depends on an argument is asked for each time, and no answer of
// the platform's may stand in for it.
func TestFilterArguments(t *testing.T) {
	const loadArg0, equal, ret = 0x20, 0x15, 0x06
	p, _ := bpf.CompileSeccomp([]linux.SockFilter{{Code: loadArg0, K: 16}, {Code: equal, K: 7, Jf: 1}, {Code: ret}, {Code: ret, K: uint32(linux.SECCOMP_RET_ALLOW)}})
	f := push(t, nil, p)
	for arg, want := range map[uint32]uint32{7: 0, 8: uint32(linux.SECCOMP_RET_ALLOW)} {
		data := &bpf.Call{4: arg}
		if got := f.verdict(1, func() *bpf.Call { return data }); got != want {
			t.Errorf("argument %d: %#x, want %#x", arg, got, want)
		}
	}
	if f.allows(1) {
		t.Error("the call counts as allowed")
	}
}

func TestFilterListIsBounded(t *testing.T) {
	var f *Filter
	p := verdictFor(t, 1, 0)
	for n := 0; ; n++ {
		g, e := f.push(p, false, nil)
		if e == linux.ENOMEM {
			if n != 2520 { // measured on Linux
				t.Errorf("%d filters", n)
			}
			break
		}
		if e != 0 || n > maxPathInsns {
			t.Fatal(n, e)
		}
		f = g
	}
	if f.hasAncestor(push(t, nil, p)) || !f.hasAncestor(f.prev) || !f.hasAncestor(nil) {
		t.Error("ancestors are taken for others")
	}
}
