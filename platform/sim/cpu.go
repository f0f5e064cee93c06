package sim

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// A CPU is what an instruction works on.
type CPU struct {
	*arch.Registers
	as *AddressSpace
}

// Read reads guest memory.
func (c *CPU) Read(addr uint64, p []byte) { c.access(addr, p, platform.Read) }

// Write writes guest memory.
func (c *CPU) Write(addr uint64, p []byte) { c.access(addr, p, platform.Write) }

func (c *CPU) access(addr uint64, p []byte, kind platform.Access) {
	if f := c.as.access(addr, p, kind); f != nil {
		panic(f)
	}
}

// Load reads size bytes, at most 8, little-endian.
func (c *CPU) Load(addr uint64, size int) uint64 {
	var b [8]byte
	c.Read(addr, b[:size])
	return binary.LittleEndian.Uint64(b[:])
}

// Store writes size bytes of v.
func (c *CPU) Store(addr uint64, size int, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	c.Write(addr, b[:size])
}

// Syscall makes a system call, after which the guest goes on at next, an
// instruction's address. It is the last thing an instruction does.
func (c *CPU) Syscall(next uint64, number uint64, args ...uint64) {
	places := [6]*uint64{&c.RDI, &c.RSI, &c.RDX, &c.R10, &c.R8, &c.R9}
	for k, p := range places {
		*p = 0
		if k < len(args) {
			*p = args[k]
		}
	}
	c.RAX = number
	c.RIP = next - syscallSize
}

// Context is a platform.Context.
type Context struct {
	// immutable
	p *Platform

	// owner only
	fpu []byte

	// atomic
	interrupted atomic.Bool
}

// enosys is RAX while a system call is made.
const enosys = ^uint64(0) - uint64(linux.ENOSYS) + 1

// Switch runs instructions until there is an event.
func (c *Context) Switch(as platform.AddressSpace, r *arch.Registers, singleStep bool) platform.Event {
	turn, spent := c.p.turn, int64(0)
	cpu := &CPU{Registers: r, as: as.(*AddressSpace)}
	yielded := false
	for {
		if c.interrupted.Swap(false) {
			turn.spend(spent)
			return platform.Event{Kind: platform.EventInterrupt}
		}
		call := r.RIP%blockSize == blockSize-syscallSize && c.p.text.has(r.RIP+syscallSize)
		if turn.left--; turn.left < 0 || call && !yielded {
			turn.spend(spent)
			turn.yield()
			spent, yielded = 0, call
			continue
		}
		if call {
			turn.spend(spent + callNS)
			spent = 0
			c.p.count()
			if c.interrupted.Load() {
				continue // an alarm, or BeforeSyscall froze the system: the call has yet to be made
			}
			r.RIP += syscallSize
			r.OrigRAX, r.RAX = r.RAX, enosys
			r.RCX, r.R11 = r.RIP, r.RFlags
			return platform.Event{Kind: platform.EventSyscall}
		}
		spent += instructionNS
		if e := c.step(cpu); e.Kind != 0 {
			turn.spend(spent)
			return e
		}
		if singleStep {
			turn.spend(spent)
			return platform.Event{Kind: platform.EventException, Signal: linux.SIGTRAP, Code: trapTrace, Addr: r.RIP}
		}
	}
}

const trapTrace = 2

func (t *Text) has(addr uint64) bool {
	return addr >= t.Base && addr < t.End() && (addr-t.Base)%blockSize == 0
}

// step runs one instruction, and undoes it when it faults.
func (c *Context) step(cpu *CPU) (e platform.Event) {
	before := *cpu.Registers
	defer func() {
		switch f := recover().(type) {
		case nil:
		case *fault:
			*cpu.Registers = before
			e = faultEvent(f)
		default:
			panic(f)
		}
	}()
	cpu.access(before.RIP, make([]byte, 1), platform.Execute)
	if !c.p.text.has(before.RIP) {
		return platform.Event{Kind: platform.EventException, Signal: linux.SIGILL, Code: 2, Addr: before.RIP}
	}
	c.p.text.Blocks[(before.RIP-c.p.text.Base)/blockSize](cpu)
	return platform.Event{}
}

// faultEvent describes a fault as the processor and Linux do.
func faultEvent(f *fault) platform.Event {
	e := platform.Event{Kind: platform.EventFault, Signal: f.signal, Code: f.code, Addr: f.addr, Access: f.access, TrapNo: 14, ErrNo: 4}
	if f.code == segvKernel {
		e.Kind, e.TrapNo, e.ErrNo = platform.EventException, 13, 0
		return e
	}
	switch f.access {
	case platform.Write:
		e.ErrNo |= 2
	case platform.Execute:
		e.ErrNo |= 16
	}
	if f.code == segvAccErr {
		e.ErrNo |= 1
	}
	return e
}

// FPU returns the extended state.
func (c *Context) FPU() []byte { return c.fpu }

// SetFPU replaces it.
func (c *Context) SetFPU(state []byte) linux.Errno {
	if !arch.ValidFPU(state) {
		return linux.EINVAL
	}
	clear(c.fpu)
	copy(c.fpu, state)
	return 0
}

// Interrupt ends a Switch at the next border of instructions.
func (c *Context) Interrupt() { c.interrupted.Store(true) }

// Release does nothing.
func (c *Context) Release() {}
