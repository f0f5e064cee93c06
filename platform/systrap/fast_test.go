package systrap

import (
	"encoding/binary"
	"testing"

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
