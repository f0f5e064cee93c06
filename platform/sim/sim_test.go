package sim

import (
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// TestGuest runs three instructions: a store that faults until it is mapped, a
// system call, and a jump into nothing.
func TestGuest(t *testing.T) {
	const text, data = 0x400000, 0x500000
	runs := 0
	var tx Text
	tx = Text{Base: text, Blocks: []Block{
		func(c *CPU) { runs++; c.RBX++; c.Store(data+8, 8, 42); c.RIP = tx.Address(1) },
		func(c *CPU) { c.Syscall(tx.Address(2), 39, c.Load(data+8, 8)) },
		func(c *CPU) { c.RIP = data },
	}}
	calls := uint64(0)
	p := New(Config{Text: tx, BeforeSyscall: func(n uint64) { calls = n + 1 }})
	fd, err := unix.MemfdCreate("test", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	as, _ := p.NewAddressSpace()
	file := platform.HostFile{ID: 1, FD: int32(fd)}
	mapAt := func(addr, offset uint64, prot linux.Prot) {
		t.Helper()
		if e := as.Apply(nil, []platform.Op{{Kind: platform.OpMap, Addr: addr, Len: pageSize, File: file, Offset: offset, Prot: prot}}); e != 0 {
			t.Fatal(e)
		}
	}
	mapAt(text, 0, linux.PROT_READ|linux.PROT_EXEC)
	c := p.NewContext()
	r := arch.Registers{RIP: text}
	expect := func(want platform.Event) {
		t.Helper()
		got := c.Switch(as, &r, false)
		got.TrapNo, got.ErrNo = 0, 0
		if got != want {
			t.Fatalf("event %+v, want %+v", got, want)
		}
	}
	fault := func(code int32, addr uint64, kind platform.Access) platform.Event {
		return platform.Event{Kind: platform.EventFault, Signal: linux.SIGSEGV, Code: code, Addr: addr, Access: kind}
	}
	expect(fault(segvMapErr, data+8, platform.Write))
	mapAt(data, pageSize, linux.PROT_READ)
	expect(fault(segvAccErr, data+8, platform.Write))
	if r.RBX != 0 {
		t.Fatal("a faulting instruction left a mark in a register")
	}
	as.Apply(nil, []platform.Op{{Kind: platform.OpProtect, Addr: data, Len: pageSize, Prot: linux.PROT_READ | linux.PROT_WRITE}})
	expect(platform.Event{Kind: platform.EventSyscall})
	if r.OrigRAX != 39 || r.RDI != 42 || r.RIP != tx.Address(2) || runs != 3 || r.RBX != 1 || calls != 1 {
		t.Fatalf("registers %+v after %d runs, %d calls", r, runs, calls)
	}
	r.Rewind(r.OrigRAX)
	expect(platform.Event{Kind: platform.EventSyscall})
	if r.OrigRAX != 39 || r.RDI != 42 || r.RIP != tx.Address(2) {
		t.Fatalf("a restarted call has registers %+v", r)
	}
	c.Interrupt()
	expect(platform.Event{Kind: platform.EventInterrupt})
	expect(fault(segvAccErr, data, platform.Execute))
	// A copy of the address space keeps its own mappings.
	child, _ := as.(platform.Forker).Fork()
	as.Apply(nil, []platform.Op{{Kind: platform.OpUnmap, Addr: data, Len: pageSize}})
	var b [1]byte
	if f := child.(*AddressSpace).access(data+8, b[:], platform.Read); f != nil || b[0] != 42 {
		t.Fatalf("the copy reads %v, %d", f, b[0])
	}
	if f := as.(*AddressSpace).access(data+8, b[:], platform.Read); f == nil || f.code != segvMapErr {
		t.Fatalf("unmapped memory gives %v", f)
	}
}
