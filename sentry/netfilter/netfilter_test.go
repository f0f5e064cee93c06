package netfilter

import (
	"bytes"
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
)

func newRuleset(t testing.TB) *Ruleset {
	t.Helper()
	s, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return New(s)
}

func build(fill func(w *Writer)) []byte {
	var w Writer
	fill(&w)
	return w.B
}

// apply runs a batch and returns the first failure.
func apply(t testing.TB, r *Ruleset, ms ...Message) linux.Errno {
	t.Helper()
	b, errno := r.Begin(0)
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, m := range ms {
		if errno := b.Apply(m); errno != 0 {
			b.Abort()
			return errno
		}
	}
	return b.Commit()
}

const create = linux.NLM_F_CREATE | linux.NLM_F_APPEND

func aTable() Message {
	return Message{MsgNewTable, famIPv4, create, build(func(w *Writer) { w.text(tableName, "t") })}
}

func aChain(name string, base bool) Message {
	return Message{MsgNewChain, famIPv4, create, build(func(w *Writer) {
		w.text(chainTable, "t")
		w.text(chainName, name)
		if base {
			w.nest(chainHook, func(w *Writer) {
				w.u32(hookNum, 1)
				w.u32(hookPriority, 0)
			})
		}
	})}
}

func aRule(in string, exprs func(w *Writer)) Message {
	return Message{MsgNewRule, famIPv4, create, build(func(w *Writer) {
		w.text(ruleTable, "t")
		w.text(ruleChain, in)
		w.nest(ruleExpressions, exprs)
	})}
}

func anExpr(name string, data func(w *Writer)) func(w *Writer) {
	return func(w *Writer) {
		w.nest(listElem, func(w *Writer) {
			w.text(exprName, name)
			w.nest(exprData, data)
		})
	}
}

func aJump(to string) func(w *Writer) {
	return anExpr("immediate", func(w *Writer) {
		w.u32(1, 0)
		w.nest(2, func(w *Writer) {
			w.nest(dataVerdict, func(w *Writer) {
				jump := int32(vJump)
				w.u32(verdictCode, uint32(jump))
				w.text(verdictChain, to)
			})
		})
	})
}

func TestBatch(t *testing.T) {
	r := newRuleset(t)
	if errno := apply(t, r, aTable(), aChain("in", true), aRule("nosuch", aJump("in"))); errno != linux.ENOENT {
		t.Errorf("a rule in no chain: %v", errno)
	}
	if r.Generation() != 1 || len(r.now.tables) != 0 {
		t.Error("a batch that failed left something")
	}
	if errno := apply(t, r, aTable(), aChain("in", true), aChain("sub", false), aRule("in", aJump("sub"))); errno != 0 {
		t.Fatal(errno)
	}
	if r.Generation() != 2 {
		t.Errorf("generation %d, want 2", r.Generation())
	}
	if errno := apply(t, r, aRule("sub", aJump("sub"))); errno != linux.ELOOP {
		t.Errorf("a loop: %v, want ELOOP", errno)
	}
	if errno := apply(t, r, aRule("in", anExpr("nosuch", func(*Writer) {}))); errno != linux.ENOENT {
		t.Errorf("an expression that is not there: %v, want ENOENT", errno)
	}
	del := Message{MsgDelChain, famIPv4, 0, build(func(w *Writer) {
		w.text(chainTable, "t")
		w.text(chainName, "sub")
	})}
	if errno := apply(t, r, del); errno != linux.EBUSY {
		t.Errorf("a chain that is jumped to: %v, want EBUSY", errno)
	}
	if _, errno := r.Begin(1); errno != linux.ERESTART {
		t.Errorf("an old generation: %v, want ERESTART", errno)
	}
}

func TestSetFindsIntervals(t *testing.T) {
	s := &set{flags: setInterval, keyLen: 2}
	for _, e := range []struct {
		key uint16
		end bool
	}{{10, false}, {20, true}, {20, false}, {21, true}, {100, false}} {
		s.elems = append(s.elems, &element{key: binary.BigEndian.AppendUint16(nil, e.key), end: e.end})
	}
	s.sort()
	for key, want := range map[uint16]bool{9: false, 10: true, 19: true, 20: true, 21: false, 99: false, 100: true, 65535: true} {
		if got := s.find(binary.BigEndian.AppendUint16(nil, key)) != nil; got != want {
			t.Errorf("%d found: %v, want %v", key, got, want)
		}
	}
}

func TestImageMakesTheSameRules(t *testing.T) {
	r := newRuleset(t)
	counter := anExpr("counter", func(w *Writer) {
		w.u64(1, 11)
		w.u64(2, 7)
	})
	if errno := apply(t, r, aTable(), aChain("in", true), aChain("sub", false), aRule("in", aJump("sub")), aRule("sub", counter)); errno != 0 {
		t.Fatal(errno)
	}
	s, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	im := r.Image()
	again, err := Restore(s, im)
	if err != nil {
		t.Fatal(err)
	}
	list := func(r *Ruleset) []byte {
		var b []byte
		for _, typ := range []uint8{MsgGetTable, MsgGetChain, MsgGetRule} {
			if errno := r.List(typ, Query{}, false, func(it Item) { b = append(b, it.Attrs...) }); errno != 0 {
				t.Fatal(errno)
			}
		}
		return b
	}
	if !bytes.Equal(list(r), list(again)) || r.Generation() != again.Generation() {
		t.Error("the restored rules are others")
	}
}

func FuzzApply(f *testing.F) {
	for _, m := range []Message{aTable(), aChain("in", true), aRule("in", aJump("sub"))} {
		f.Add(m.Type, m.Attrs)
	}
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) {
		r := newRuleset(t)
		if errno := apply(t, r, aTable(), aChain("in", true), aChain("sub", false)); errno != 0 {
			t.Fatal(errno)
		}
		apply(t, r, Message{typ, famIPv4, create, body})
		for typ := range uint8(MsgDestroySetElem) {
			r.List(typ, Query{Attrs: body}, false, func(Item) {})
		}
		Compat(body)
		if _, err := Restore(r.stack, r.Image()); err != nil {
			t.Error(err)
		}
	})
}

func FuzzExtension(f *testing.F) {
	f.Add("tcp", uint32(0), false, make([]byte, 12))
	f.Add("DNAT", uint32(2), true, make([]byte, 44))
	f.Fuzz(func(t *testing.T, name string, rev uint32, target bool, info []byte) {
		if b := extensions[xtKey{name, rev, target}]; b != nil {
			for _, family := range []uint8{famIPv4, famIPv6} {
				b(info, &chain{name: "c"}, family)
			}
		}
	})
}
