package prog

func (c *compiler) peek() token { return c.toks[c.pos] }

func (c *compiler) next() token {
	t := c.toks[c.pos]
	if t.kind != tokEOF {
		c.pos++
	}
	return t
}

func (c *compiler) is(text string) bool {
	t := c.peek()
	return (t.kind == tokOp || t.kind == tokName) && t.text == text
}

func (c *compiler) accept(text string) bool {
	if c.is(text) {
		c.pos++
		return true
	}
	return false
}

func (c *compiler) expect(text string) {
	if !c.accept(text) {
		c.fail("%q where %q is due", c.peek().text, text)
	}
}

func (c *compiler) name() string {
	t := c.next()
	if t.kind != tokName {
		c.pos--
		c.fail("%q where a name is due", t.text)
	}
	return t.text
}

// statements compiles up to the end of the program or the closing brace.
func (c *compiler) statements(until tokKind) {
	for {
		t := c.peek()
		switch {
		case t.kind == tokNewline:
			c.next()
		case t.kind == tokEOF && until == tokEOF:
			return
		case t.kind == tokOp && t.text == "}" && until == tokOp:
			c.next()
			return
		default:
			c.statement()
			if k := c.peek(); k.kind != tokNewline && !c.is("}") {
				c.fail("%q after the statement", k.text)
			}
		}
	}
}

func (c *compiler) statement() {
	t := c.peek()
	if t.kind != tokName {
		c.fail("%q starts no statement", t.text)
	}
	if s := simple(t.text); s != nil {
		c.next()
		s(c, t)
		return
	}
	quiet := c.accept("quiet")
	start := c.peek()
	var dst cell
	if c.toks[c.pos+1].text == "=" && c.toks[c.pos+1].kind == tokOp {
		n := c.name()
		if _, ok := c.bufs[n]; ok {
			c.fail("%s is a buffer", n)
		}
		c.expect("=")
		dst = c.variable(n)
	}
	if c.spawn(start, dst, quiet) || c.call(start, dst, quiet) {
		return
	}
	if dst == 0 {
		c.fail("%q is no system call", c.peek().text)
	}
	c.emit(Ins{Op: OpMov, Dst: uint32(dst), A: [7]uint32{1: uint32(c.expr())}})
}

// call compiles a system call.
func (c *compiler) call(start token, dst cell, quiet bool) bool {
	t := c.peek()
	if _, ok := c.calls[t.text]; !ok || t.kind != tokName || c.toks[c.pos+1].text != "(" {
		return false
	}
	c.next()
	args := c.args()
	if len(args) > 6 {
		c.fail("%d arguments", len(args))
	}
	site := uint32(0)
	if !quiet {
		site = c.site(start.line, start.at, c.peek().at, resultForm(t.text))
	}
	c.emitCall(t.text, args, dst, site)
	return true
}

func (c *compiler) args() []cell {
	var args []cell
	c.expect("(")
	for !c.accept(")") {
		args = append(args, c.expr())
		if !c.is(")") {
			c.expect(",")
		}
	}
	return args
}

func resultForm(call string) form {
	switch call {
	case "fork", "vfork", "clone", "clone3", "getpid", "gettid", "getppid", "wait4", "setsid", "getsid", "getpgid", "getpgrp",
		"set_tid_address":
		return formPID
	case "mmap", "mremap", "brk", "shmat":
		return formAddr
	case "shmget", "semget", "msgget":
		return formAddr
	}
	return formDec
}

// spawn compiles what makes a task: fork, vfork, thread, clone, clone3.
func (c *compiler) spawn(start token, dst cell, quiet bool) bool {
	const threadFlags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000
	t := c.peek()
	zero := uint32(c.constant(0))
	i := Ins{Op: OpClone, Dst: uint32(dst), A: [7]uint32{3: zero, 4: zero}}
	switch after := c.toks[c.pos+1]; {
	case t.text == "fork" && after.text == "{":
		i.A[1] = uint32(c.constant(17))
	case t.text == "vfork" && after.text == "{":
		i.A[1], i.A[2] = uint32(c.constant(0x4000|0x100|17)), 1
	case t.text == "thread" && after.text == "{":
		i.A[1], i.A[2] = uint32(c.constant(threadFlags)), 1
	case t.text == "clone" && after.text == "(":
		c.next()
		args := c.args()
		i.A[1], i.A[2] = uint32(args[0]), 1
		if len(args) > 1 {
			i.A[3] = uint32(args[1])
		}
		if len(args) > 2 {
			i.A[4] = uint32(args[2])
		}
		c.pos--
	case t.text == "clone3" && after.text == "(":
		c.next()
		args := c.args()
		i.Op, i.A[1], i.A[2] = OpClone3, uint32(args[0]), uint32(args[1])
		c.pos--
	default:
		return false
	}
	c.next()
	if i.Dst == 0 {
		i.Dst = uint32(c.temp())
	}
	if !quiet {
		i.Flags, i.Site = Traced, c.site(start.line, start.at, c.peek().at, formPID)-1
	}
	b := c.body(false)
	b.target = append(b.target, c.emit(i))
	return true
}

// body skips a block that is compiled later.
func (c *compiler) body(handler bool) *block {
	c.expect("{")
	b := &block{from: c.pos, handler: handler}
	for depth := 1; depth > 0; {
		switch t := c.next(); {
		case t.kind == tokEOF:
			c.fail("a block without an end")
		case t.kind == tokOp && t.text == "{":
			depth++
		case t.kind == tokOp && t.text == "}":
			depth--
		}
	}
	c.pending = append(c.pending, b)
	return b
}

var precedence = [][]string{{"||"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<", "<=", ">", ">="}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

var binaryOps = map[string]uint32{"+": 0, "-": 1, "*": 2, "/": 3, "%": 4, "&": 5, "|": 6, "^": 7, "<<": 8, ">>": 9,
	"==": 10, "!=": 11, "<": 12, "<=": 13, ">": 14, ">=": 15, "&&": 16, "||": 17}

func (c *compiler) expr() cell { return c.level(0) }

func (c *compiler) level(n int) cell {
	if n == len(precedence) {
		return c.unary()
	}
	a := c.level(n + 1)
next:
	for {
		for _, op := range precedence[n] {
			if c.accept(op) {
				a = c.binary(op, a, c.level(n+1))
				continue next
			}
		}
		return a
	}
}

func (c *compiler) binary(op string, a, b cell) cell {
	dst := c.temp()
	c.emit(Ins{Op: OpBin, Dst: uint32(dst), A: [7]uint32{binaryOps[op], uint32(a), uint32(b)}})
	return dst
}

func (c *compiler) unary() cell {
	switch {
	case c.accept("-"):
		if t := c.peek(); t.kind == tokNumber {
			c.next()
			return c.constant(-t.num)
		}
		return c.binary("-", c.constant(0), c.unary())
	case c.accept("~"):
		return c.binary("^", c.constant(-1), c.unary())
	case c.accept("!"):
		return c.binary("==", c.constant(0), c.unary())
	case c.accept("&"):
		return c.constant(Arena + int64(c.variable(c.name())))
	case c.accept("("):
		v := c.expr()
		c.expect(")")
		return v
	}
	t := c.next()
	switch t.kind {
	case tokNumber:
		return c.constant(t.num)
	case tokString:
		return c.str(t.text)
	case tokName:
		return c.named(t)
	}
	c.pos--
	c.fail("%q in an expression", t.text)
	return 0
}

var loads = map[string]uint32{"u8": 1, "u16": 2, "u32": 4, "s32": 4, "u64": 8, "be16": 2, "be32": 4}

func (c *compiler) named(t token) cell {
	if c.is("(") {
		return c.builtin(t)
	}
	if at, ok := c.vars[t.text]; ok {
		return at
	}
	if b, ok := c.bufs[t.text]; ok {
		return c.constant(Arena + int64(b[0]))
	}
	if v, ok := c.numbers[t.text]; ok {
		return c.constant(v)
	}
	c.pos--
	c.fail("unknown name %s", t.text)
	return 0
}

func (c *compiler) builtin(t token) cell {
	c.expect("(")
	defer c.expect(")")
	switch t.text {
	case "len":
		b, ok := c.bufs[c.peek().text]
		if !ok {
			c.fail("len of %s", c.peek().text)
		}
		c.next()
		return c.constant(int64(b[1]))
	case "entry":
		at := c.alloc(24)
		n := c.name()
		b := c.images[n]
		if b == nil {
			b = &block{from: -1}
			c.images[n] = b
		}
		b.entries = append(b.entries, cell(at))
		return c.constant(Arena + int64(at))
	}
	size, ok := loads[t.text]
	if !ok {
		c.fail("unknown function %s", t.text)
	}
	return c.load(t.text, size, c.expr())
}

func (c *compiler) load(kind string, size uint32, addr cell) cell {
	v := c.temp()
	c.emit(Ins{Op: OpLoad, Dst: uint32(v), A: [7]uint32{size, uint32(addr)}})
	switch kind {
	case "s32":
		sign := c.constant(1 << 31)
		return c.binary("-", c.binary("^", v, sign), sign)
	case "be16":
		low := c.binary("<<", c.binary("&", v, c.constant(255)), c.constant(8))
		return c.binary("|", c.binary(">>", v, c.constant(8)), low)
	case "be32":
		r := c.constant(0)
		for k := range 4 {
			one := c.binary("&", c.binary(">>", v, c.constant(int64(8*k))), c.constant(255))
			r = c.binary("|", r, c.binary("<<", one, c.constant(int64(24-8*k))))
		}
		return r
	}
	return v
}
