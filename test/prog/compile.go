package prog

import (
	"encoding/binary"
	"fmt"
	"strings"

	"cordon/internal/linux"
)

// A Program is a compiled program.
type Program struct {
	Name  string // family/name
	About string
	Image []byte
	Sites []Site
}

// A Site is a place that leaves records: its source text, and how its values
// are shown.
type Site struct {
	Line int
	Text string
	Form form
}

// form is how a value is shown.
type form uint8

const (
	formDec form = iota
	formHex
	formOct
	formPID
	formAddr
	formErr
	formStatus
	formStr
	formCStr
	formBytes
)

// cell is the offset of an 8-byte cell in the image.
type cell uint32

type block struct {
	target  []int // instructions whose a0 is this block
	entries []cell
	code    int
	// What is compiled later: a body's tokens.
	from    int
	handler bool
	site    token
}

type compiler struct {
	src   string
	toks  []token
	pos   int
	code  []Ins
	data  []byte
	sites []Site

	vars    map[string]cell
	bufs    map[string][2]uint32
	consts  map[int64]cell
	strs    map[string]cell
	images  map[string]*block
	pending []*block
	breaks  [][]int
	calls   map[string]int64
	numbers map[string]int64
}

type syntaxError struct{ error }

func (c *compiler) fail(format string, a ...any) {
	panic(syntaxError{fmt.Errorf("line %d: "+format, append([]any{c.peek().line}, a...)...)})
}

// Compile compiles a program's source.
func Compile(name, src string) (p *Program, err error) {
	toks, err := lex(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &compiler{src: src, toks: toks, data: make([]byte, atData), vars: map[string]cell{
		"sig": AtSig, "info": AtInfo, "uctx": AtUctx, "argc": AtArgc, "argv": AtArgv, "vm": AtVM, "base": AtBase,
	}, bufs: map[string][2]uint32{}, consts: map[int64]cell{}, strs: map[string]cell{}, images: map[string]*block{},
		calls: syscallNumbers(), numbers: constants()}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case syntaxError:
			err = fmt.Errorf("%s: %w", name, e.error)
		default:
			panic(e)
		}
	}()
	about, _, _ := strings.Cut(src, "\n")
	if !strings.HasPrefix(about, "# ") {
		c.fail("the first line is not a comment that says what the program shows")
	}
	c.statements(tokEOF)
	c.end(false)
	for len(c.pending) > 0 {
		b := c.pending[0]
		c.pending = c.pending[1:]
		b.code = len(c.code)
		c.pos = b.from
		c.statements(tokOp)
		c.end(b.handler)
		c.link(b)
	}
	return &Program{Name: name, About: about[2:], Image: c.image(), Sites: c.sites}, nil
}

func syscallNumbers() map[string]int64 {
	m := map[string]int64{}
	for _, s := range linux.SyscallNumbers() {
		if s.AMD64 >= 0 {
			m[s.Name] = int64(s.AMD64)
		}
	}
	return m
}

// end ends a block: a handler returns, another block's thread exits.
func (c *compiler) end(handler bool) {
	if !handler {
		c.emitCall("exit", []cell{c.constant(0)}, 0, 0)
	}
	c.emit(Ins{Op: OpEnd})
}

func (c *compiler) emit(i Ins) int {
	c.code = append(c.code, i)
	return len(c.code) - 1
}

func (c *compiler) emitCall(name string, args []cell, dst cell, site uint32) {
	i := Ins{Op: OpSyscall, Dst: uint32(dst), Site: site}
	i.A[0] = uint32(c.constant(c.calls[name]))
	for k := range 6 {
		i.A[k+1] = uint32(c.constant(0))
		if k < len(args) {
			i.A[k+1] = uint32(args[k])
		}
	}
	if dst == 0 {
		i.Dst = uint32(c.temp())
	}
	if site != 0 {
		i.Flags, i.Site = Traced, site-1
	}
	c.emit(i)
}

// alloc gives zeroed bytes of the image.
func (c *compiler) alloc(n int) uint32 {
	for len(c.data)%16 != 0 {
		c.data = append(c.data, 0)
	}
	at := len(c.data)
	c.data = append(c.data, make([]byte, n)...)
	return uint32(at)
}

func (c *compiler) temp() cell {
	for len(c.data)%8 != 0 {
		c.data = append(c.data, 0)
	}
	c.data = append(c.data, make([]byte, 8)...)
	return cell(len(c.data) - 8)
}

func (c *compiler) constant(v int64) cell {
	at, ok := c.consts[v]
	if !ok {
		at = c.temp()
		binary.LittleEndian.PutUint64(c.data[at:], uint64(v))
		c.consts[v] = at
	}
	return at
}

func (c *compiler) str(s string) cell {
	at, ok := c.strs[s]
	if !ok {
		b := c.alloc(len(s) + 1)
		copy(c.data[b:], s)
		at = c.constant(Arena + int64(b))
		c.strs[s] = at
	}
	return at
}

func (c *compiler) variable(name string) cell {
	at, ok := c.vars[name]
	if !ok {
		at = c.temp()
		c.vars[name] = at
	}
	return at
}

// site makes a place of a trace from the source between two tokens.
func (c *compiler) site(line, from, to int, f form) uint32 {
	text := strings.Join(strings.Fields(c.src[from:to]), " ")
	c.sites = append(c.sites, Site{Line: line, Text: text, Form: f})
	return uint32(len(c.sites))
}

func (c *compiler) link(b *block) {
	// Targets are instruction numbers until image moves them.
	for _, t := range b.target {
		c.code[t].A[0] = uint32(b.code)
	}
}

// image joins header, data and code.
func (c *compiler) image() []byte {
	le := binary.LittleEndian
	for len(c.data)%InsSize != 0 {
		c.data = append(c.data, 0)
	}
	base := uint32(len(c.data))
	// Decimal strings of entries have their place already.
	for _, b := range c.images {
		for _, e := range b.entries {
			copy(c.data[e:], fmt.Sprint(Arena+base+uint32(b.code)*InsSize))
		}
	}
	out := c.data
	for k := range c.code {
		i := c.code[k]
		switch i.Op {
		case OpJmp, OpJz, OpClone, OpClone3, OpHandler:
			i.A[0] = base + i.A[0]*InsSize
		}
		out = i.append(out)
	}
	le.PutUint64(out, 0x474f5250)
	le.PutUint64(out[AtEntry:], uint64(base))
	le.PutUint64(out[AtSize:], uint64(len(out)))
	return out
}
