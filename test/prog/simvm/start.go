package simvm

import (
	"strconv"

	"cordon/platform/sim"
	"cordon/test/prog"
)

// A request is a system call that a sequence makes next.
type request struct {
	number uint64
	args   []uint64
}

func call(number uint64, args ...uint64) *request { return &request{number, args} }

// A part of a sequence sees the result of the call before it in RAX and makes
// the next; nil: it has set RIP.
type part func(*sim.CPU) *request

// add appends a sequence and returns its first block.
func (v *vm) add(parts ...part) int {
	first := len(v.text.Blocks)
	for k, p := range parts {
		next := v.text.Address(first + k + 1)
		v.text.Blocks = append(v.text.Blocks, func(c *sim.CPU) {
			if r := p(c); r != nil {
				c.Syscall(next, r.number, r.args...)
			}
		})
	}
	return first
}

// Sequences' first blocks are fixed by their lengths, in this order.
type entries struct{ run, child, resume, load int }

// str puts a string where calls find it.
func str(c *sim.CPU, s string) uint64 {
	c.Write(c.RSP-scratch, append([]byte(s), 0))
	return c.RSP - scratch
}

const (
	rw        = 3
	shared    = 0x01
	fixedAnon = 0x32
	fixed     = 0x11
	waitAll   = 0x40000000
	none      = ^uint64(0)
)

func mapTrace(c *sim.CPU) *request {
	return call(nrMmap, prog.Trace, prog.TraceSize, rw, fixed, prog.TraceFD, 0)
}

func (v *vm) start(c *sim.CPU) {
	e := v.entries()
	if text(c, c.Load(c.RSP+8, 8)) == "exec" {
		c.RIP = v.at(e.resume)
		return
	}
	c.RIP = v.at(e.run)
}

func (v *vm) entries() entries {
	const runLength, childLength, resumeLength = 15, 12, 1
	e := entries{run: blockSequences}
	e.child = e.run + runLength
	e.resume = e.child + childLength
	e.load = e.resume + resumeLength
	return e
}

func (v *vm) sequences() {
	v.add(v.run()...)
	v.add(v.child()...)
	v.add(mapTrace)
	v.add(v.load()...)
}

// run is the life of the first process: R14 is a descriptor, R15 the program's
// first process; then it writes the wait status and the trace to descriptor 1.
func (v *vm) run() []part {
	remember := func(c *sim.CPU) { c.R14 = c.RAX }
	status := func(c *sim.CPU) uint64 { return c.RSP - scratch }
	var wait int
	parts := []part{
		func(c *sim.CPU) *request { return call(nrMemfd, str(c, "trace"), 0) },
		func(c *sim.CPU) *request { remember(c); return call(nrFtruncate, c.R14, prog.TraceSize) },
		func(c *sim.CPU) *request { return call(nrDup2, c.R14, prog.TraceFD) },
		func(c *sim.CPU) *request { return call(nrClose, c.R14) },
		func(c *sim.CPU) *request { return call(nrOpen, str(c, "/image"), 0, 0) },
		func(c *sim.CPU) *request { remember(c); return call(nrDup2, c.R14, prog.ImageFD) },
		func(c *sim.CPU) *request { return call(nrClose, c.R14) },
		mapTrace,
		func(c *sim.CPU) *request {
			c.Store(prog.Trace+8, 8, 1)
			c.Store(slotAt(0)+slotSelf, 8, slotAt(0))
			return call(nrClone, 17)
		},
		func(c *sim.CPU) *request {
			if c.RAX == 0 {
				c.RIP = v.at(v.entries().child)
				return nil
			}
			c.R15 = c.RAX
			c.RIP = v.at(wait)
			return nil
		},
		func(c *sim.CPU) *request { return call(nrWait4, none, status(c), waitAll, 0) },
		func(c *sim.CPU) *request {
			if c.RAX != c.R15 && !negative(c.RAX) {
				c.RIP = v.at(wait)
				return nil
			}
			return call(nrWrite, 1, status(c), 4)
		},
		func(c *sim.CPU) *request {
			c.R14 = 0
			c.RAX = 0
			c.RIP = v.at(wait + 3)
			return nil
		},
		func(c *sim.CPU) *request {
			size := (c.Load(prog.Trace+8, 8) + 1) * prog.SlotSize
			c.R14 += c.RAX
			if negative(c.RAX) || c.R14 >= size {
				return call(nrExitGroup, 0)
			}
			c.Syscall(v.at(wait+3), nrWrite, 1, prog.Trace+c.R14, size-c.R14)
			return nil
		},
		func(c *sim.CPU) *request { return call(nrExitGroup, 0) },
	}
	wait = blockSequences + 10
	return parts
}

// child prepares a program's first process as vm.c does.
func (v *vm) child() []part {
	dup := func(fd uint64) part {
		return func(c *sim.CPU) *request {
			if fd == 0 {
				c.R14 = c.RAX
			}
			return call(nrDup2, c.R14, fd)
		}
	}
	return []part{
		func(c *sim.CPU) *request { return call(nrSetsid) },
		func(c *sim.CPU) *request { return call(nrUmask, 0o22) },
		func(c *sim.CPU) *request { return call(nrMkdir, str(c, "/p0"), 0o755) },
		func(c *sim.CPU) *request { return call(nrChdir, str(c, "/p0")) },
		func(c *sim.CPU) *request { return call(nrOpen, str(c, "/dev/null"), 2, 0) },
		dup(0), dup(1), dup(2),
		func(c *sim.CPU) *request { return call(nrClose, c.R14) },
		func(c *sim.CPU) *request {
			c.Write(names, []byte("/vm\x00/p0\x00"))
			c.R13 = 0
			return call(nrGettid)
		},
		func(c *sim.CPU) *request {
			c.Store(slotAt(0)+slotTID, 8, c.RAX)
			return call(nrGettid)
		},
		func(c *sim.CPU) *request { c.RIP = v.at(v.entries().load); return nil },
	}
}

// load maps the arena, reads the image into it and begins: R13 is 0, or where
// to begin.
func (v *vm) load() []part {
	read := 0
	parts := []part{
		func(c *sim.CPU) *request { return call(nrMmap, prog.Arena, prog.ArenaMax, rw, fixedAnon, none, 0) },
		func(c *sim.CPU) *request { return call(nrPread, prog.ImageFD, c.RSP-scratch, 8, prog.AtSize) },
		func(c *sim.CPU) *request {
			c.R14, c.R15 = 0, c.Load(c.RSP-scratch, 8)
			c.RAX = 0
			c.RIP = v.at(read)
			return nil
		},
		func(c *sim.CPU) *request {
			c.R14 += c.RAX
			if negative(c.RAX) || c.R14 >= c.R15 {
				return call(nrGettid)
			}
			c.Syscall(v.at(read), nrPread, prog.ImageFD, prog.Arena+c.R14, c.R15-c.R14, c.R14)
			return nil
		},
		func(c *sim.CPU) *request {
			slot := slotAt(0)
			for n := c.Load(prog.Trace+8, 8); n > 0; n-- {
				if c.Load(slotAt(n-1)+slotTID, 8) == c.RAX {
					slot = slotAt(n - 1)
					break
				}
			}
			return call(nrArchPrctl, archSetFS, slot)
		},
		v.begin,
	}
	read = v.entries().load + 3
	return parts
}

// begin is where a program starts, in the first process or after an exec.
func (v *vm) begin(c *sim.CPU) *request {
	setCell(c, prog.AtVM, names)
	setCell(c, prog.AtBase, names+4)
	argv := c.Load(c.RSP+8, 8)
	c.RBX = prog.Arena + cell(c, prog.AtEntry)
	if text(c, argv) == "exec" {
		setCell(c, prog.AtArgc, c.Load(c.RSP, 8))
		setCell(c, prog.AtArgv, c.RSP+8)
		pc, _ := strconv.ParseUint(text(c, c.Load(c.RSP+16, 8)), 10, 64)
		c.RBX = pc
	}
	c.RIP = v.at(blockVM)
	return nil
}
