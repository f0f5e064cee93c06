package systrap

import (
	"encoding/binary"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/platform"
	"cordon/platform/arch"
)

// patched returns what a trampoline does for a call: entry is the stub's.
func patched(entry uint64) []byte {
	code := binary.LittleEndian.AppendUint64([]byte{0x49, 0xbb}, entry) // movabs entry, %r11
	code = append(code, 0x48, 0x8d, 0x0d, 3, 0, 0, 0)                   // lea 3(%rip), %rcx
	return append(code, 0x41, 0xff, 0xe3)                               // jmp *%r11
}

// Calls of patched code and calls that trap take turns, and every register is the
// guest's whether anybody asked for it or not.
func TestFastAndSlowCalls(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	code := append(patched(p.marks[markEntry]), 0x0f, 0x05) // fast; slow
	code = append(code, 0xeb, byte(0x100-len(code)-2))      // from the start
	g := newGuest(t, p, code...)
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, guestData+64)
		r.RBX, r.RBP, r.R12, r.R13, r.R14, r.R15 = 1, 2, 3, 4, 5, 6
		r.RDI, r.RSI, r.RDX, r.R10, r.R8, r.R9, r.FSBase = 7, 8, 9, 10, 11, 12, guestData
		for i := range uint64(300) {
			r.RAX = 1000 + i
			ev := c.Switch(g.as, &r, false)
			if ev.Kind != platform.EventSyscall || r.OrigRAX != 1000+i || r.SyscallArgs() != [6]uintptr{7, 8, 9, 10, 11, 12} {
				t.Fatalf("call %d: %+v %+v", i, ev, r)
			}
			if ev.Partial != (i%2 == 0) || ev.Trapped != (i%2 == 1) {
				t.Fatalf("call %d: %+v", i, ev)
			}
			if ev.Partial && i%3 != 0 {
				continue // nobody asks
			}
			c.Complete(&r)
			if r.RBX != 1 || r.RBP != 2 || r.R12 != 3 || r.R13 != 4 || r.R14 != 5 || r.R15 != 6 || r.RSP != guestData+64 || r.FSBase != guestData {
				t.Fatalf("after call %d: %+v", i, r)
			}
			if i%5 == 0 { // all registers are loaded anew
				r.RBX = 99
				r.RAX = 1000 + i
				ev = c.Switch(g.as, &r, false)
				c.Complete(&r)
				if r.RBX != 99 || r.R15 != 6 {
					t.Fatalf("after changed registers: %+v %+v", ev, r)
				}
				r.RBX = 1
				r.RIP = guestCode // the parity of the loop
				if i%2 == 0 {
					r.RIP = guestCode + uint64(len(patched(0)))
				}
			}
		}
	})
}

// Calls that are answered by the page of facts make no event, and what is withdrawn
// is asked for again.
func TestFacts(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	entry := p.marks[markEntry]
	code := []byte{0xb8, 39, 0, 0, 0} // mov $39, %eax
	code = append(code, patched(entry)...)
	code = append(code, 0x89, 0xc7)                    // mov %eax, %edi
	code = append(code, 0xb8, 0xe8, 3, 0, 0)           // mov $1000, %eax
	code = append(code, patched(entry)...)             //
	code = append(code, 0xeb, byte(0x100-len(code)-2)) // from the start
	g := newGuest(t, p, code...)
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		expect := func(number, arg uint64) {
			t.Helper()
			ev := c.Switch(g.as, &r, false)
			if ev.Kind != platform.EventSyscall || r.OrigRAX != number || number == 1000 && r.RDI != arg {
				t.Fatalf("%+v: call %d(%d), want %d(%d)", ev, r.OrigRAX, r.RDI, number, arg)
			}
			r.RAX = arg
		}
		expect(39, 5)
		expect(1000, 5)
		c.Inform([]platform.Fact{{Call: 39, Value: 4242}})
		expect(1000, 4242)
		expect(1000, 4242)
		c.Inform([]platform.Fact{{Call: 39, Value: ^uint32(0)}})
		expect(1000, 1<<32-1)
		c.Inform(nil)
		expect(39, 6)
		expect(1000, 6)
		c.Inform([]platform.Fact{{Call: 39, Value: 7}, {Call: 1 << 31, Value: 1}})
		other := newGuest(t, p, code...) // facts come along to another space
		r = arch.InitialRegisters(guestCode, 0)
		if ev := c.Switch(other.as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX != 1000 || r.RDI != 7 {
			t.Errorf("%+v %+v", ev, r)
		}
	})
	// The thread that the context left tells the next one nothing.
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX != 39 {
			t.Errorf("%+v %+v", ev, r)
		}
	})
}

// getcpu is answered where its pointers are good, and asked for where they are not.
func TestStoreCPU(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	code := append([]byte{0xb8, 0x35, 1, 0, 0}, patched(p.marks[markEntry])...) // mov $309, %eax
	code = append(code, 0xb8, 0xe8, 3, 0, 0)                                    // mov $1000, %eax
	code = append(code, patched(p.marks[markEntry])...)
	g := newGuest(t, p, code...)
	g.run(func(c *Context) {
		call := func(cpu, node uint64) (number uint64) {
			t.Helper()
			r := arch.InitialRegisters(guestCode, 0)
			r.RDI, r.RSI, r.R15 = cpu, node, 77
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall {
				t.Fatalf("%+v", ev)
			}
			c.Complete(&r)
			if r.RDI != cpu || r.RSI != node || r.R15 != 77 {
				t.Fatalf("registers are lost: %+v", r)
			}
			return r.OrigRAX
		}
		if n := call(guestData, guestData+8); n != 309 {
			t.Fatalf("call %d before anything is known", n)
		}
		c.Inform([]platform.Fact{{Call: 309, Value: 5, Kind: platform.StoreCPU}})
		unix.Pwrite(g.fd, []byte{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, pageSize)
		if n := call(guestData, guestData+8); n != 1000 {
			t.Fatalf("call %d, though the answer is there", n)
		}
		var b [12]byte
		unix.Pread(g.fd, b[:], pageSize)
		if b != [12]byte{5, 0, 0, 0, 9, 9, 9, 9} {
			t.Errorf("stored %v", b)
		}
		if n := call(0, 0); n != 1000 {
			t.Errorf("call %d with no pointers", n)
		}
		for _, bad := range [][2]uint64{{1 << 20, 0}, {guestData, guestCode}, {0, 1 << 63}, {opsAddress, 0}} {
			if n := call(bad[0], bad[1]); n != 309 {
				t.Errorf("call %d, though %#x is not the guest's to write", n, bad)
			}
		}
	})
}

// A wake-up is answered only while nobody sleeps, and only a plain one.
func TestWakeNobody(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	code := append([]byte{0xb8, 202, 0, 0, 0}, patched(p.marks[markEntry])...) // mov $202, %eax
	code = append(code, 0x89, 0xc2)                                            // mov %eax, %edx
	code = append(code, 0xb8, 0xe8, 3, 0, 0)                                   // mov $1000, %eax
	code = append(code, patched(p.marks[markEntry])...)
	g := newGuest(t, p, code...)
	g.run(func(c *Context) {
		call := func(addr, op uint64) uint64 {
			t.Helper()
			r := arch.InitialRegisters(guestCode, 0)
			r.RDI, r.RSI, r.RDX = addr, op, 1
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX == 1000 && r.RDX != 0 {
				t.Fatalf("%+v %+v", ev, r)
			}
			c.Complete(&r)
			return r.OrigRAX
		}
		const wake = 0x81
		c.Inform([]platform.Fact{{Call: 202, Kind: platform.WakeNobody}})
		if n := call(guestData, wake); n != 202 {
			t.Error("answered though the space does not say that nobody sleeps")
		}
		g.as.AnswerWakes(true)
		if n := call(guestData, wake); n != 1000 {
			t.Errorf("call %d though nobody sleeps", n)
		}
		for _, other := range [][2]uint64{{guestData, 1}, {guestData, 0x80}, {guestData + 2, wake}, {1 << 47, wake}, {slotAddress, wake}, {1 << 63, wake}} {
			if n := call(other[0], other[1]); n != 202 {
				t.Errorf("futex(%#x, %#x) is answered", other[0], other[1])
			}
		}
		g.as.AnswerWakes(false)
		if n := call(guestData, wake); n != 202 {
			t.Error("answered though somebody sleeps")
		}
	})
}

// fcntl and epoll_ctl are answered where the words say how, and asked for elsewhere;
// whatever else they are asked for is, too.
func TestFlagWords(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	entry := patched(p.marks[markEntry])
	code := append([]byte{0x41, 0xff, 0xd5}, 0x49, 0x89, 0xc6) // call *%r13; mov %rax, %r14
	code = append(code, 0xb8, 0xe8, 3, 0, 0)                   // mov $1000, %eax
	code = append(code, entry...)
	code = append(code, make([]byte, 0x80-len(code))...)
	code = append(append(code, entry...), 0xc3) // at 0x80: the call, ret
	g := newGuest(t, p, code...)
	words := g.as.FlagWords()
	const (
		fcntl    = 72
		epollCtl = 233
		getFlags = 3
		setFlags = 4
		open     = 1 << 30
		known    = 1<<31 | open | 5<<24
		memory   = 1 << 23
		fsync    = 74
		event    = guestData + pageSize - 12
	)
	g.run(func(c *Context) {
		call := func(number uint64, args ...uint64) (asked bool, result uint64) {
			t.Helper()
			r := arch.InitialRegisters(guestCode, guestData+64)
			r.R13, r.RAX = guestCode+0x80, number
			for i, to := range []*uint64{&r.RDI, &r.RSI, &r.RDX, &r.R10}[:len(args)] {
				*to = args[i]
			}
			ev := c.Switch(g.as, &r, false)
			if c.Complete(&r); ev.Kind != platform.EventSyscall || r.OrigRAX != number && r.OrigRAX != 1000 {
				t.Fatalf("%+v %+v", ev, r)
			}
			for i, v := range []uint64{r.RDI, r.RSI, r.RDX, r.R10}[:len(args)] {
				if v != args[i] {
					t.Errorf("call %d%v has lost argument %d: %#x", number, args, i, v)
				}
			}
			return r.OrigRAX != 1000, r.R14
		}
		answer := func(want uint64, number uint64, args ...uint64) {
			t.Helper()
			if asked, got := call(number, args...); asked || got != want {
				t.Errorf("call %d%v: asked %v, answered %#x, want %#x", number, args, asked, got, want)
			}
		}
		ask := func(number uint64, args ...uint64) {
			t.Helper()
			if asked, got := call(number, args...); !asked {
				t.Errorf("call %d%v is answered: %#x", number, args, got)
			}
		}
		words[3], words[4], words[1023] = known|0x8002, open, known|0x400
		words[5] = open | memory
		ask(fcntl, 3, getFlags)
		ask(epollCtl, 4, 1, 3, event)
		ask(fsync, 5)
		c.Inform([]platform.Fact{{Call: fcntl, Kind: platform.KeepFlags}, {Call: epollCtl, Kind: platform.RefuseWatch}, {Call: fsync, Kind: platform.SyncMemory}})
		answer(0, fsync, 5)
		ask(fsync, 3)
		ask(fsync, 4)
		ask(fsync, 1024)
		ask(fsync, 1<<32|5)
		ask(epollCtl, 5, 1, 5, event)
		ask(fcntl, 5, getFlags)
		answer(0x8002, fcntl, 3, getFlags)
		answer(0x400, fcntl, 1023, getFlags)
		answer(0, fcntl, 3, setFlags, 0x8801)
		if got := atomic.LoadUint32(&words[3]); got != known|0x8802 {
			t.Errorf("the word is %#x", got)
		}
		answer(0x8802, fcntl, 3, getFlags)
		answer(0, fcntl, 1023, setFlags, 0x400)
		answer(0, fcntl, 3, setFlags, 0)
		answer(0x8002, fcntl, 3, getFlags)
		for _, fd := range []uint64{0, 4, 1024, 1 << 20, 1<<32 | 3, ^uint64(0)} {
			ask(fcntl, fd, getFlags)
			ask(fcntl, fd, setFlags, 0)
			ask(epollCtl, 4, 1, fd, event)
		}
		for _, f := range []uint64{0x400, 0x2000, 0x4000, 0x40000, 0xc00} {
			ask(fcntl, 3, setFlags, f)
		}
		for _, cmd := range []uint64{0, 1, 2, 5, 1030} {
			ask(fcntl, 3, cmd, 0)
		}
		const eperm = ^uint64(0)
		answer(eperm, epollCtl, 4, 1, 3, event)
		answer(eperm, epollCtl, 3, 1, 3, event)
		ask(epollCtl, 4, 1, 4, event)
		ask(epollCtl, 6, 1, 3, event)
		ask(epollCtl, 4, 2, 3, event)
		ask(epollCtl, 4, 3, 3, event)
		ask(epollCtl, 1024, 1, 3, event)
		for _, bad := range []uint64{0, event + 1, 1 << 20, 1 << 63} {
			ask(epollCtl, 4, 1, 3, bad)
		}
		c.Inform(nil)
		ask(fcntl, 3, getFlags)
	})
	// Words of a space that has gone are no other's.
	g.as.Release()
	for range 4 {
		for i, w := range newGuest(t, p, code...).as.FlagWords() {
			if w != 0 {
				t.Fatalf("word %d of a new space is %#x", i, w)
			}
		}
	}
}
