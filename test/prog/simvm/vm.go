package simvm

import (
	"bytes"
	"encoding/binary"

	"cordon/platform/sim"
	"cordon/test/prog"
)

// Places of the interpreter itself.
const (
	textBase = 0x400000
	dataBase = 0x800000
	names    = dataBase + prog.Slots*prog.StackSize
	dataSize = prog.Slots*prog.StackSize + 4096

	// Where strings and structs for a call are put, below the stack's end.
	scratch = 2048
)

// Numbers of blocks; sequences follow them.
const (
	blockVM = iota
	blockResult
	blockCloned
	blockTID
	blockSignal
	blockRestorer
	blockSettled
	blockStart
	blockSequences
)

// Offsets in a slot of the trace.
const (
	slotIndex, slotChildren, slotLen, slotTID, slotSelf, slotData = 4, 8, 12, 16, 24, 32
)

// System calls of the interpreter.
const (
	nrRead, nrWrite, nrOpen, nrClose, nrMmap, nrSigaction, nrPread = 0, 1, 2, 3, 9, 13, 17
	nrDup2, nrNanosleep, nrClone, nrWait4, nrFtruncate             = 33, 35, 56, 61, 77
	nrChdir, nrMkdir, nrUmask, nrSetsid, nrArchPrctl, nrGettid     = 80, 83, 95, 112, 158, 186
	nrExitGroup, nrMemfd, nrClone3, nrSigreturn                    = 231, 319, 435, 15
	cloneSetTLS                                                    = 0x80000
	archSetFS                                                      = 0x1002
)

// settleNS is how long settle sleeps; on virtual time it ends when all others
// sleep.
const settleNS = 20_000_000

type vm struct{ text sim.Text }

// Text returns the interpreter, and its executable file.
func Text() (sim.Text, []byte) {
	v := &vm{text: sim.Text{Base: textBase}}
	v.text.Blocks = []sim.Block{v.step, v.result, v.cloned, v.tid, v.signal, v.restorer, v.settled, v.start}
	v.sequences()
	return v.text, v.text.ELF(blockStart, dataBase, dataSize)
}

func (v *vm) at(k int) uint64 { return v.text.Address(k) }

func cell(c *sim.CPU, at uint32) uint64       { return c.Load(prog.Arena+uint64(at), 8) }
func setCell(c *sim.CPU, at uint32, x uint64) { c.Store(prog.Arena+uint64(at), 8, x) }
func slotAt(n uint64) uint64                  { return prog.Trace + prog.SlotSize*(n+1) }
func touch(c *sim.CPU, addr uint64, size int) { c.Store(addr, size, c.Load(addr, size)) }
func count(c *sim.CPU, addr uint64, d uint64) { c.Store(addr, 4, c.Load(addr, 4)+d) }
func negative(x uint64) bool                  { return int64(x) < 0 }
func (v *vm) fetch(c *sim.CPU, pc uint64) prog.Ins {
	var b [prog.InsSize]byte
	c.Read(pc, b[:])
	return prog.DecodeIns(b[:])
}

// step runs the instruction at RBX.
func (v *vm) step(c *sim.CPU) {
	i := v.fetch(c, c.RBX)
	x := uint64(0)
	switch i.Op {
	case prog.OpSyscall:
		var args [6]uint64
		for k := range args {
			args[k] = cell(c, i.A[k+1])
		}
		c.Syscall(v.at(blockResult), cell(c, i.A[0]), args[:]...)
		return
	case prog.OpBin:
		x = binaryOp(i.A[0], cell(c, i.A[1]), cell(c, i.A[2]))
	case prog.OpLoad:
		x = c.Load(cell(c, i.A[1]), int(i.A[0]))
	case prog.OpStore:
		c.Store(cell(c, i.A[1]), int(i.A[0]), cell(c, i.A[2]))
		c.RBX += prog.InsSize
		return
	case prog.OpJz:
		if cell(c, i.A[1]) != 0 {
			c.RBX += prog.InsSize
			return
		}
		fallthrough
	case prog.OpJmp:
		c.RBX = prog.Arena + uint64(i.A[0])
		return
	case prog.OpMov:
		x = cell(c, i.A[1])
	default:
		v.special(c, &i)
		return
	}
	setCell(c, i.Dst, x)
	c.RBX += prog.InsSize
}

func (v *vm) special(c *sim.CPU, i *prog.Ins) {
	switch i.Op {
	case prog.OpShow:
		put(c, 2, i.Site, cell(c, i.A[1]), nil)
	case prog.OpShowBytes:
		n := cell(c, i.A[2])
		if n > 4096 {
			n = map[bool]uint64{true: 0, false: 4096}[negative(n)]
		}
		b := make([]byte, n)
		c.Read(cell(c, i.A[1]), b)
		put(c, 3, i.Site, n, b)
	case prog.OpClone, prog.OpClone3:
		v.clone(c, i)
		return
	case prog.OpHandler:
		sig := cell(c, i.A[1])
		var sa []byte
		for _, x := range []uint64{v.at(blockSignal), cell(c, i.A[2]) | 0x04000000, v.at(blockRestorer), cell(c, i.A[3])} {
			sa = binary.LittleEndian.AppendUint64(sa, x)
		}
		c.Write(c.RSP-scratch, sa)
		c.Store(prog.Arena+prog.AtHandlers+8*(sig&63), 8, prog.Arena+uint64(i.A[0]))
		c.Syscall(v.at(blockResult), nrSigaction, sig, c.RSP-scratch, 0, 8)
		return
	case prog.OpEnd:
		v.endHandler(c)
		return
	case prog.OpSkip:
		v.skip(c)
	case prog.OpSettle:
		c.Store(c.RSP-scratch, 8, 0)
		c.Store(c.RSP-scratch+8, 8, settleNS)
		c.Syscall(v.at(blockSettled), nrNanosleep, c.RSP-scratch, 0)
		return
	default:
		c.Syscall(v.at(blockResult), nrExitGroup, 98)
		return
	}
	c.RBX += prog.InsSize
}

func binaryOp(op uint32, a, b uint64) uint64 {
	x, y := int64(a), int64(b)
	truth := func(t bool) uint64 {
		if t {
			return 1
		}
		return 0
	}
	switch op {
	case 0:
		return a + b
	case 1:
		return a - b
	case 2:
		return a * b
	case 3, 4:
		if y == 0 {
			return 0
		}
		if op == 3 {
			return uint64(x / y)
		}
		return uint64(x % y)
	case 5:
		return a & b
	case 6:
		return a | b
	case 7:
		return a ^ b
	case 8:
		return a << (b & 63)
	case 9:
		return a >> (b & 63)
	}
	return truth([]bool{x == y, x != y, x < y, x <= y, x > y, x >= y, a != 0 && b != 0, a != 0 || b != 0}[op-10])
}

// put adds a record to the task's slot. It is the last thing with an effect.
func put(c *sim.CPU, kind, site uint32, x uint64, p []byte) {
	slot := c.FSBase
	at, need := c.Load(slot+slotLen, 4), 16+uint64(len(p)+7)&^7
	if at+need+slotData > prog.SlotSize {
		return
	}
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, site)
	b = binary.LittleEndian.AppendUint64(b, x)
	b = append(b, p...)
	c.Write(slot+slotData+at, append(b, make([]byte, need-uint64(len(b)))...))
	c.Store(slot+slotLen, 4, at+need)
}

// finish stores a call's result and goes on.
func (v *vm) finish(c *sim.CPU) {
	i := v.fetch(c, c.RBX)
	setCell(c, i.Dst, c.RAX)
	if i.Flags&prog.Traced != 0 {
		put(c, 1, i.Site, c.RAX, nil)
	}
	c.RBX += prog.InsSize
	c.RIP = v.at(blockVM)
}

func (v *vm) result(c *sim.CPU) { v.finish(c) }

func (v *vm) settled(c *sim.CPU) {
	c.RBX += prog.InsSize
	c.RIP = v.at(blockVM)
}

// clone makes a task's slot, and the task: R12 is the slot, R13 where the task
// begins.
func (v *vm) clone(c *sim.CPU, i *prog.Ins) {
	me := c.FSBase
	touch(c, me+slotChildren, 4)
	touch(c, prog.Trace+8, 8)
	n := c.Load(prog.Trace+8, 8)
	if n >= prog.Slots {
		c.Syscall(v.at(blockResult), nrExitGroup, 99)
		return
	}
	slot := slotAt(n)
	c.Store(slot, 4, (me-prog.Trace)/prog.SlotSize-1)
	c.Store(slot+slotIndex, 4, c.Load(me+slotChildren, 4)+1)
	c.Store(slot+slotSelf, 8, slot)
	var args []uint64
	number := uint64(nrClone)
	if i.Op == prog.OpClone3 {
		number, args = nrClone3, []uint64{cell(c, i.A[1]), cell(c, i.A[2])}
		if args[1] >= 64 {
			touch(c, args[0], 8)
			c.Store(args[0]+56, 8, slot)
			c.Store(args[0], 8, c.Load(args[0], 8)|cloneSetTLS)
		}
	} else {
		stack := uint64(0)
		if i.A[2] != 0 {
			stack = dataBase + (n+1)*prog.StackSize
		}
		args = []uint64{cell(c, i.A[1]) | cloneSetTLS, stack, cell(c, i.A[3]), cell(c, i.A[4]), slot}
	}
	c.R12, c.R13 = slot, prog.Arena+uint64(i.A[0])
	c.Store(prog.Trace+8, 8, n+1)
	count(c, me+slotChildren, 1)
	c.Syscall(v.at(blockCloned), number, args...)
}

func (v *vm) cloned(c *sim.CPU) {
	switch {
	case c.RAX == 0:
		c.RBX = c.R13
		c.Syscall(v.at(blockTID), nrGettid)
		return
	case negative(c.RAX):
		touch(c, c.FSBase+slotChildren, 4)
		i := v.fetch(c, c.RBX)
		setCell(c, i.Dst, c.RAX)
		count(c, c.FSBase+slotChildren, ^uint64(0))
	}
	v.finish(c)
}

func (v *vm) tid(c *sim.CPU) {
	c.Store(c.FSBase+slotTID, 8, c.RAX)
	c.RIP = v.at(blockVM)
}

// signal is the entry of every handler: it keeps the three variables of an
// interrupted handler on the stack.
func (v *vm) signal(c *sim.CPU) {
	var old [24]byte
	c.Read(prog.Arena+prog.AtSig, old[:])
	c.Write(c.RSP-24, old[:])
	var now []byte
	for _, x := range []uint64{c.RDI, c.RSI, c.RDX} {
		now = binary.LittleEndian.AppendUint64(now, x)
	}
	c.Write(prog.Arena+prog.AtSig, now)
	c.RBX = c.Load(prog.Arena+prog.AtHandlers+8*(c.RDI&63), 8)
	c.RSP -= 24
	c.RIP = v.at(blockVM)
}

func (v *vm) endHandler(c *sim.CPU) {
	var old [24]byte
	c.Read(c.RSP, old[:])
	c.Write(prog.Arena+prog.AtSig, old[:])
	c.RIP = c.Load(c.RSP+24, 8)
	c.RSP += 32
}

func (v *vm) restorer(c *sim.CPU) { c.Syscall(v.at(blockVM), nrSigreturn) }

// skip moves the interrupted program past its access: RBX in the frame.
func (v *vm) skip(c *sim.CPU) {
	rbx := cell(c, prog.AtUctx) + 40 + 11*8
	touch(c, rbx, 8)
	pc := c.Load(rbx, 8)
	if i := v.fetch(c, pc); i.Op == prog.OpLoad {
		setCell(c, i.Dst, ^uint64(0))
	}
	c.Store(rbx, 8, pc+prog.InsSize)
}

// text reads a string of the guest.
func text(c *sim.CPU, addr uint64) string {
	var b []byte
	for len(b) < 4096 {
		var one [1]byte
		c.Read(addr+uint64(len(b)), one[:])
		if one[0] == 0 {
			break
		}
		b = append(b, one[0])
	}
	return string(bytes.Clone(b))
}
