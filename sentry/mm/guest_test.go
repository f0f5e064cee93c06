package mm

import (
	"runtime"
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/ptrace"
)

// A guest runs single loads and stores on a real platform.
type guest struct {
	t      *testing.T
	m      *MemoryManager
	c      platform.Context
	code   uint64
	faults int
}

// Guest code: a store and a load, each with a system call behind it.
var (
	storeCode = []byte{0x48, 0x89, 0x37, 0x0f, 0x05} // mov %rsi,(%rdi); syscall
	loadCode  = []byte{0x48, 0x8b, 0x37, 0x0f, 0x05} // mov (%rdi),%rsi; syscall
)

const loadOff = 64

func newGuest(t *testing.T, m *MemoryManager, p platform.Platform, code uint64) *guest {
	g := &guest{t: t, m: m, c: p.NewContext(), code: code}
	return g
}

func (g *guest) run(r *arch.Registers) fault {
	for range 8 {
		as, err := g.m.Activate()
		if err != nil {
			g.t.Fatal(err)
		}
		ev := g.c.Switch(as, r, false)
		switch ev.Kind {
		case platform.EventSyscall:
			return fault{}
		case platform.EventFault:
			g.faults++
			if s, code := g.m.HandleFault(g.c, ev.Addr, ev.Access, ev.Signal); s != 0 {
				return fault{s, linux.SigCode(code)}
			}
		default:
			g.t.Fatalf("event %+v", ev)
		}
	}
	g.t.Fatal("faults for ever")
	return fault{}
}

func (g *guest) store(addr, v uint64) fault {
	return g.run(&arch.Registers{RIP: g.code, RDI: addr, RSI: v, RFlags: 0x202})
}

func (g *guest) load(addr uint64) (uint64, fault) {
	r := &arch.Registers{RIP: g.code + loadOff, RDI: addr, RFlags: 0x202}
	f := g.run(r)
	return r.RSI, f
}

func (g *guest) expect(who string, addr, want uint64) {
	g.t.Helper()
	if v, f := g.load(addr); v != want || f != (fault{}) {
		g.t.Errorf("%s at %#x: %d %v, want %d", who, addr, v, f, want)
	}
}

func openPtrace(t *testing.T) platform.Platform {
	z, err := ptrace.StartZygote()
	if err != nil {
		t.Skip("no zygote can be started here: ", err)
	}
	p, err := ptrace.New(ptrace.Config{Zygote: z})
	if err != nil {
		z.Stop()
		t.Skip("ptrace is not permitted here: ", err)
	}
	t.Cleanup(p.Release)
	return p
}

func TestOnPtrace(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := openPtrace(t)
	m := New(Config{Platform: p, Memory: newMemory(t), Limits: noLimits()})
	code := mustMap(t, m, anonymous(pageSize, linux.PROT_READ|linux.PROT_EXEC))
	m.Remote().WriteAt(code, storeCode)
	m.Remote().WriteAt(code+loadOff, loadCode)
	data := mustMap(t, m, anonymous(40*pageSize, rw))
	g := newGuest(t, m, p, code)
	defer g.c.Release()

	for i := range uint64(40) {
		if f := g.store(data+i*pageSize, 100+i); f != (fault{}) {
			t.Fatal(f)
		}
	}
	if g.faults != 0 {
		t.Errorf("%d faults in memory that was mapped at once", g.faults)
	}
	var b [8]byte
	m.CopyIn(data+7*pageSize, b[:])
	if b[0] != 107 {
		t.Errorf("the Sentry reads %d", b[0])
	}
	child := fork(t, m)
	h := newGuest(t, child, p, code)
	defer h.c.Release()
	h.expect("child", data, 100)
	h.store(data+pageSize, 1)
	g.store(data+2*pageSize, 2)
	m.CopyOut(data+30*pageSize, []byte{3})
	g.expect("parent", data+pageSize, 101)
	h.expect("child", data+2*pageSize, 102)
	h.expect("child", data+30*pageSize, 130)
	g.expect("parent", data+30*pageSize, 3)
	child.DecUsers()
	g.store(data+5*pageSize, 55)
	g.expect("parent alone", data+5*pageSize, 55)
	changeUnder(t, m, g, data)
	m.DecUsers()
	p.ForgetFile(m.memory.HostFile())
}

// changeUnder changes mappings while the guest has its translations.
func changeUnder(t *testing.T, m *MemoryManager, g *guest, data uint64) {
	if err := m.MProtect(g.c, data, pageSize, linux.PROT_READ); err != nil {
		t.Fatal(err)
	}
	if f := g.store(data, 1); f != (fault{linux.SIGSEGV, linux.SEGV_ACCERR}) {
		t.Errorf("store to read-only memory: %v", f)
	}
	if err := m.MAdvise(g.c, data+8*pageSize, pageSize, linux.MADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	g.expect("discarded", data+8*pageSize, 0)
	moved, err := m.MRemap(g.c, data+10*pageSize, 5*pageSize, 10*pageSize, linux.MREMAP_MAYMOVE, 0)
	if err != nil {
		t.Fatal(err)
	}
	g.expect("moved", moved+4*pageSize, 114)
	g.expect("moved, new part", moved+9*pageSize, 0)
	if f := g.store(data+10*pageSize, 1); f != (fault{linux.SIGSEGV, linux.SEGV_MAPERR}) {
		t.Errorf("store where it was: %v", f)
	}
	if err := m.MUnmap(g.c, data, 40*pageSize); err != nil {
		t.Fatal(err)
	}
	if _, f := g.load(data + 20*pageSize); f != (fault{linux.SIGSEGV, linux.SEGV_MAPERR}) {
		t.Errorf("load of unmapped memory: %v", f)
	}
	top, err := m.MapStack(g.c, rw)
	if err != nil {
		t.Fatal(err)
	}
	if f := g.store(top-1<<20, 4); f != (fault{}) {
		t.Errorf("stack: %v", f)
	}
	// Execution of memory that is not executable.
	if f := g.run(&arch.Registers{RIP: moved, RFlags: 0x202}); f != (fault{linux.SIGSEGV, linux.SEGV_ACCERR}) {
		t.Errorf("execution of data: %v", f)
	}
}
