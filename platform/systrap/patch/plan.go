package patch

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Code gives access to a guest's text around a site.
type Code interface {
	// Read fills b with what is mapped at addr for execution, and returns how
	// many bytes that are. It is asked for whole pages.
	Read(addr uint64, b []byte) int
}

// Site is where a system call trapped.
type Site struct {
	Addr   uint64 // of the two bytes 0f 05
	Number uint64 // rax at the trap
}

// Form says which bytes of a site are replaced.
type Form uint8

const (
	// FormA replaces the instruction before the system call.
	FormA Form = 'A'
	// FormE replaces the system call itself, by way of padding nearby.
	FormE Form = 'E'
)

// A Store is one write to the guest's text.
type Store struct {
	Addr     uint64
	Old, New []byte // of one length; New is nil in a Plan

	// Atomic tells that other threads may run the code while it is stored: at
	// most eight bytes within a line of the cache, stored at once.
	Atomic bool
	// Unreached tells that nobody runs these bytes before the next store, nor
	// after the one before was undone: they can be stored in any way.
	Unreached bool
	// Word tells that the bytes lie in one aligned word of eight bytes, which
	// can be stored by one aligned write.
	Word bool
}

// Plan says how a site can be patched.
type Plan struct {
	Form Form
	Site uint64 // of the syscall instruction
	At   uint64 // where the last store goes, which switches the patch on
	Old  []byte // what stands there
	Size int    // bytes of trampoline needed

	// Stores are to be made in this order; Emit fills in what to store.
	Stores []Store

	// Moved is the instruction that runs in the trampoline instead of at At,
	// empty in form E. MovedRIP is where in it a rip-relative displacement
	// stands, 0 without one.
	Moved    []byte
	MovedRIP int
}

const (
	syscallSize = 2
	jumpSize    = 5       // e9 rel32
	leaSize     = 7       // lea rel32(%rip), %rcx
	farSize     = 6 + 8   // jmp *0(%rip) and its literal
	lineSize    = 64      // of the cache
	storeMax    = 8       // bytes that can be stored at once
	userEnd     = 1 << 47 // of addresses

	// Sigreturn is the number of the call that is never patched.
	Sigreturn = 15
)

// Analyze decides whether and how the site can be patched: by the first of form
// A and form E that can be stored while other threads run there, else by the
// first that can be stored at all.
func Analyze(c Code, s Site) (Plan, bool) {
	if s.Number == Sigreturn {
		return Plan{}, false
	}
	t, ok := loadSite(c, s.Addr)
	if !ok {
		return Plan{}, false
	}
	defer t.free()
	return t.plan(s)
}

// AnalyzeShared is Analyze for a text that others run too. That a call trapped at
// addr is what some guest says, who may have jumped there on purpose: so the bytes
// before must show that an instruction begins there, and nothing else counts. The
// plan depends on the text alone, and all its stores are atomic.
func AnalyzeShared(c Code, addr uint64) (Plan, bool) {
	t, ok := loadSite(c, addr)
	if !ok {
		return Plan{}, false
	}
	defer t.free()
	if _, ok := t.previous(); !ok {
		return Plan{}, false
	}
	p, ok := t.plan(Site{Addr: addr, Number: noNumber})
	return p, ok && p.Atomic()
}

// noNumber is what no instruction loads: a call's number has 32 bits.
const noNumber = 1 << 40

// loadSite reads the text around a system call that may be patched.
func loadSite(c Code, addr uint64) (*text, bool) {
	if addr < 2*page || addr >= userEnd-2*page {
		return nil, false
	}
	t, ok := load(c, addr)
	if ok && (t.b[t.site] != 0x0f || t.b[t.site+1] != 0x05 || t.restorer() || t.taken(addr, syscallSize)) {
		t.free()
		return nil, false
	}
	return t, ok
}

func (t *text) plan(s Site) (Plan, bool) {
	a, okA := t.formA(s)
	if okA && a.Atomic() {
		return a, true
	}
	if e, ok := t.formE(s); ok && (!okA || e.Atomic()) {
		return e, true
	}
	return a, okA
}

// Atomic tells that all stores can be made while other threads run the code.
func (p *Plan) Atomic() bool {
	for _, s := range p.Stores {
		if !s.Atomic && !s.Unreached {
			return false
		}
	}
	return true
}

// restorer tells whether the site returns from signal handlers: unwinders know
// such code by its bytes.
func (t *text) restorer() bool {
	before := t.b[:t.site]
	return bytes.HasSuffix(before, []byte{0xb8, Sigreturn, 0, 0, 0}) ||
		bytes.HasSuffix(before, []byte{0x48, 0xc7, 0xc0, Sigreturn, 0, 0, 0})
}

func (t *text) formA(s Site) (Plan, bool) {
	start, ok := t.previous()
	if !ok {
		start, ok = t.loadsNumber(s.Number)
	}
	n := t.site - start
	if !ok || n < jumpSize {
		return Plan{}, false
	}
	in := t.decode(start)
	at := t.base + uint64(start)
	switch {
	case in.kind != kindPlain && (in.kind != kindNop || t.aligns(start)):
		return Plan{}, false
	case t.targeted(start+1, t.site), t.taken(at, n):
		// If it is taken by this form, the site is reached by branches to it.
		return Plan{}, false
	}
	st := newStore(at, t.b[start:t.site])
	if !st.Atomic {
		// Without the bytes behind the jump, which nobody reaches.
		st = newStore(at, t.b[start:start+jumpSize])
	}
	return Plan{
		Form: FormA, Site: s.Addr, At: at, Old: st.Old,
		Size:     n + leaSize + farSize,
		Stores:   []Store{st},
		Moved:    bytes.Clone(t.b[start:t.site]),
		MovedRIP: in.ripAt,
	}, true
}

// loadsNumber recognizes the instruction before the site where the decodings
// disagree: one that loads just the number that the call was made with.
func (t *text) loadsNumber(number uint64) (int, bool) {
	i := t.site - 7
	if i >= 0 && bytes.HasPrefix(t.b[i:], []byte{0x48, 0xc7, 0xc0}) {
		return i, uint64(int32(binary.LittleEndian.Uint32(t.b[i+3:]))) == number
	}
	// A byte before that could be a prefix makes it another register.
	i = t.site - 5
	if i < 1 || t.b[i] != 0xb8 || t.b[i-1]&0xf0 == 0x40 || t.b[i-1] == 0x66 {
		return 0, false
	}
	return i, uint64(binary.LittleEndian.Uint32(t.b[i+1:])) == number
}

func (t *text) formE(s Site) (Plan, bool) {
	pad, ok := t.padding()
	if !ok {
		return Plan{}, false
	}
	first := newStore(t.base+uint64(pad), t.b[pad:pad+jumpSize])
	first.Unreached = true
	last := newStore(s.Addr, t.b[t.site:t.site+syscallSize])
	return Plan{
		Form: FormE, Site: s.Addr, At: s.Addr, Old: last.Old,
		Size:   leaSize + farSize,
		Stores: []Store{first, last},
	}, true
}

func newStore(addr uint64, old []byte) Store {
	last := addr + uint64(len(old)) - 1
	return Store{
		Addr: addr, Old: bytes.Clone(old),
		Atomic: len(old) <= storeMax && addr/lineSize == last/lineSize,
		Word:   addr/storeMax == last/storeMax,
	}
}

// Emit returns what to store, in order, and the code of the trampoline at
// tramp, which ends by jumping to entry. It fails if tramp is out of the site's
// reach; entry may be anywhere.
func (p *Plan) Emit(tramp, entry uint64) (stores []Store, code []byte, ok bool) {
	code = append(make([]byte, 0, p.Size), p.Moved...)
	if p.MovedRIP > 0 {
		// The instruction moves by tramp - At, what it refers to does not.
		field := code[p.MovedRIP:]
		rel := int64(int32(binary.LittleEndian.Uint32(field))) - int64(tramp-p.At)
		if !isRel32(rel) {
			return nil, nil, false
		}
		binary.LittleEndian.PutUint32(field, uint32(rel))
	}
	code = append(code, 0x48, 0x8d, 0x0d)
	code, ok1 := appendRel32(code, tramp, p.Site+syscallSize)
	near, ok2 := appendRel32(append(code, 0xe9), tramp, entry)
	if ok2 {
		code = near
	} else {
		code = append(code, 0xff, 0x25, 0, 0, 0, 0)
		code = binary.LittleEndian.AppendUint64(code, entry)
	}
	for len(code) < p.Size {
		code = append(code, 0xcc)
	}
	stores, ok3 := p.emitStores(tramp)
	return stores, code, ok1 && ok3
}

// emitStores fills in what to store: the first store holds the jump to the
// trampoline, in form E the second one the jump to the first.
func (p *Plan) emitStores(tramp uint64) ([]Store, bool) {
	stores := make([]Store, len(p.Stores))
	copy(stores, p.Stores)
	first := &stores[0]
	jump, ok := appendRel32([]byte{0xe9}, first.Addr, tramp)
	for len(jump) < len(first.Old) {
		jump = append(jump, 0x90)
	}
	first.New = jump
	if p.Form == FormE {
		rel := int64(first.Addr - (p.Site + syscallSize))
		stores[1].New = []byte{0xeb, byte(int8(rel))}
	}
	return stores, ok
}

// appendRel32 appends to code, which stands at base, the displacement from its
// end to target.
func appendRel32(code []byte, base, target uint64) ([]byte, bool) {
	rel := int64(target - (base + uint64(len(code)) + 4))
	return binary.LittleEndian.AppendUint32(code, uint32(rel)), isRel32(rel)
}

func isRel32(rel int64) bool { return rel >= math.MinInt32 && rel <= math.MaxInt32 }
