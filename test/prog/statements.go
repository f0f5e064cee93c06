package prog

import "strings"

// simple returns how a statement that starts with a word of its own is compiled.
func simple(word string) func(*compiler, token) {
	switch word {
	case "buf":
		return (*compiler).bufStatement
	case "data":
		return (*compiler).dataStatement
	case "show":
		return (*compiler).showStatement
	case "put8", "put16", "put32", "put64":
		return (*compiler).putStatement
	case "skip":
		return (*compiler).skipStatement
	case "wait":
		return (*compiler).waitStatement
	case "settle":
		return (*compiler).settleStatement
	case "exit", "texit":
		return (*compiler).exitStatement
	case "if":
		return (*compiler).ifStatement
	case "while", "repeat":
		return (*compiler).whileStatement
	case "handler":
		return (*compiler).handlerStatement
	case "image":
		return (*compiler).imageStatement
	case "break":
		return (*compiler).breakStatement
	}
	return nil
}

func (c *compiler) bufStatement(token) {
	n := c.name()
	size := c.next()
	if size.kind == tokName {
		size.num = c.numbers[size.text]
	}
	if size.num <= 0 || size.num > 1<<20 {
		c.fail("a buffer of %s bytes", size.text)
	}
	c.bufs[n] = [2]uint32{c.alloc(int(size.num)), uint32(size.num)}
}

// dataStatement lays items out in a buffer; stores are made when the line is
// reached, each time.
func (c *compiler) dataStatement(token) {
	n := c.name()
	at := c.alloc(0)
	size := uint32(0)
	// The bytes must follow one another: make room first, for at most as much
	// as a line can hold, and give back what is left.
	const room = 4096
	c.alloc(room)
	for {
		t := c.next()
		switch {
		case t.kind == tokString:
			copy(c.data[at+size:], t.text)
			c.reset(at+size, []byte(t.text))
			size += uint32(len(t.text))
		case t.text == "zero":
			size += uint32(c.next().num)
		case t.text == "align":
			for n := uint32(c.next().num); size%n != 0; size++ {
			}
		case t.text == "u8" || t.text == "u16" || t.text == "u32" || t.text == "u64":
			w := loads[t.text]
			c.store(w, c.constant(Arena+int64(at+size)), c.expr())
			size += w
		case t.text == "be16" || t.text == "be32":
			v := c.expr()
			w := loads[t.text]
			for k := range w {
				one := c.binary(">>", v, c.constant(int64(8*(w-1-k))))
				c.store(1, c.constant(Arena+int64(at+size+k)), one)
			}
			size += w
		default:
			c.pos--
			c.fail("data item %q", t.text)
		}
		if size > room {
			c.fail("more than %d bytes of data", room)
		}
		if !c.accept(",") {
			break
		}
	}
	c.bufs[n] = [2]uint32{at, size}
}

// reset stores bytes again when the line is reached.
func (c *compiler) reset(at uint32, b []byte) {
	for k, v := range b {
		c.store(1, c.constant(Arena+int64(at)+int64(k)), c.constant(int64(v)))
	}
}

func (c *compiler) store(size uint32, addr, v cell) {
	c.emit(Ins{Op: OpStore, A: [7]uint32{size, uint32(addr), uint32(v)}})
}

func (c *compiler) putStatement(t token) {
	addr := c.expr()
	c.expect(",")
	c.store(map[string]uint32{"put8": 1, "put16": 2, "put32": 4, "put64": 8}[t.text], addr, c.expr())
}

var forms = map[string]form{"hex": formHex, "oct": formOct, "pid": formPID, "addr": formAddr, "err": formErr,
	"status": formStatus, "str": formStr, "cstr": formCStr, "bytes": formBytes}

func (c *compiler) showStatement(token) {
	for {
		start := c.peek()
		f, ok := forms[start.text]
		if !ok || c.toks[c.pos+1].text != "(" {
			v := c.expr()
			c.emit(Ins{Op: OpShow, Site: c.site(start.line, start.at, c.peek().at, formDec) - 1, A: [7]uint32{1: uint32(v)}})
		} else {
			c.next()
			args := c.args()
			i := Ins{Op: OpShow, A: [7]uint32{1: uint32(args[0])}}
			if f >= formStr {
				i.Op, i.A[2] = OpShowBytes, uint32(c.constant(256))
				if len(args) > 1 {
					i.A[2] = uint32(args[1])
				}
			}
			i.Site = c.site(start.line, start.at, c.peek().at, f) - 1
			c.emit(i)
		}
		if !c.accept(",") {
			return
		}
	}
}

func (c *compiler) skipStatement(token) { c.emit(Ins{Op: OpSkip}) }

// waitStatement waits for a child and shows its status.
func (c *compiler) waitStatement(t token) {
	pid := c.expr()
	st := c.temp()
	site := c.site(t.line, t.at, c.peek().at, formPID)
	c.emitCall("wait4", []cell{pid, c.constant(Arena + int64(st)), c.constant(0x40000000), c.constant(0)}, 0, site)
	c.sites = append(c.sites, Site{Line: t.line, Text: "status", Form: formStatus})
	c.emit(Ins{Op: OpShow, Site: uint32(len(c.sites) - 1), A: [7]uint32{1: uint32(st)}})
}

func (c *compiler) settleStatement(token) {
	c.emit(Ins{Op: OpSettle, A: [7]uint32{1: uint32(c.expr())}})
}

func (c *compiler) exitStatement(t token) {
	call := "exit_group"
	if t.text == "texit" {
		call = "exit"
	}
	c.emitCall(call, []cell{c.expr()}, 0, 0)
}

func (c *compiler) handlerStatement(t token) {
	zero := uint32(c.constant(0))
	i := Ins{Op: OpHandler, Flags: Traced, Dst: uint32(c.temp()), A: [7]uint32{1: uint32(c.expr()), 2: zero, 3: zero}}
	for k := 2; k < 4 && c.accept(","); k++ {
		i.A[k] = uint32(c.expr())
	}
	i.Site = c.site(t.line, t.at, c.peek().at, formDec) - 1
	b := c.body(true)
	b.target = append(b.target, c.emit(i))
}

func (c *compiler) imageStatement(token) {
	n := c.name()
	b := c.body(false)
	if old := c.images[n]; old != nil {
		b.entries = old.entries
	}
	c.images[n] = b
}

func (c *compiler) breakStatement(token) {
	if len(c.breaks) == 0 {
		c.fail("break outside a loop")
	}
	last := len(c.breaks) - 1
	c.breaks[last] = append(c.breaks[last], c.emit(Ins{Op: OpJmp}))
}

// inner compiles a braced block in place.
func (c *compiler) inner() {
	c.expect("{")
	c.statements(tokOp)
}

func (c *compiler) ifStatement(token) {
	jz := c.emit(Ins{Op: OpJz, A: [7]uint32{1: uint32(c.expr())}})
	c.inner()
	if c.accept("else") {
		jmp := c.emit(Ins{Op: OpJmp})
		c.code[jz].A[0] = uint32(len(c.code))
		if c.is("if") {
			t := c.next()
			c.ifStatement(t)
		} else {
			c.inner()
		}
		c.code[jmp].A[0] = uint32(len(c.code))
		return
	}
	c.code[jz].A[0] = uint32(len(c.code))
}

func (c *compiler) whileStatement(t token) {
	top := len(c.code)
	var count cell
	if t.text == "repeat" {
		count = c.temp()
		c.emit(Ins{Op: OpMov, Dst: uint32(count), A: [7]uint32{1: uint32(c.expr())}})
		top = len(c.code)
	} else {
		count = c.expr()
	}
	jz := c.emit(Ins{Op: OpJz, A: [7]uint32{1: uint32(count)}})
	c.breaks = append(c.breaks, nil)
	c.inner()
	if t.text == "repeat" {
		c.emit(Ins{Op: OpBin, Dst: uint32(count), A: [7]uint32{binaryOps["-"], uint32(count), uint32(c.constant(1))}})
	}
	c.emit(Ins{Op: OpJmp, A: [7]uint32{uint32(top)}})
	end := uint32(len(c.code))
	c.code[jz].A[0] = end
	for _, b := range c.breaks[len(c.breaks)-1] {
		c.code[b].A[0] = end
	}
	c.breaks = c.breaks[:len(c.breaks)-1]
}

// Family returns the directory part of a program's name.
func (p *Program) Family() string {
	f, _, _ := strings.Cut(p.Name, "/")
	return f
}
