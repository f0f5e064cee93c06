package loader

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/platform/memfile"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A Loader loads programs for one sandbox.
type Loader struct {
	// immutable
	vdso *VDSO

	// atomic
	texts atomic.Pointer[mm.Texts] // made with the first program
}

// sharedTexts returns what all programs have in common of their files' text.
func (l *Loader) sharedTexts(mem *memfile.File) *mm.Texts {
	if l.texts.Load() == nil {
		l.texts.CompareAndSwap(nil, mm.NewTexts(mem))
	}
	return l.texts.Load()
}

// New returns a loader that maps vdso into every program.
func New(vdso *VDSO) *Loader { return &Loader{vdso: vdso} }

// Shrink gives up what no program has mapped.
func (l *Loader) Shrink() {
	if t := l.texts.Load(); t != nil {
		t.Shrink()
	}
}

// An opened is a program's file.
type opened struct {
	d    *vfs.Description
	attr vfs.Attr
	head []byte
}

func (o *opened) readFull(p []byte, off uint64) error {
	if int64(off) < 0 {
		return linux.ENOEXEC
	}
	for len(p) > 0 {
		dst := usermem.OfBytes(p)
		n, err := o.d.PRead(nil, &dst, int64(off))
		if err != nil {
			return linux.EIO
		}
		if n == 0 {
			return linux.ENOEXEC
		}
		p, off = p[n:], off+uint64(n)
	}
	return nil
}

// Load implements task.Loader.
func (l *Loader) Load(t *task.Task, a *task.ExecArgs) (*task.Image, error) {
	c := t.Caller()
	prog, err := l.open(c, a)
	if err != nil {
		return nil, err
	}
	// Scripts: the interpreter runs with the script's name put into its
	// arguments. Set-id bits of scripts do not count.
	name := a.Path
	argv := a.Argv
	script := 0
	for string(prog.head[:min(2, len(prog.head))]) == "#!" {
		if script++; script > maxScripts {
			prog.d.DecRef()
			return nil, linux.ELOOP
		}
		interp, one, err := parseScript(prog.head)
		prog.d.DecRef()
		if err != nil {
			return nil, err
		}
		if script == 1 && a.File != nil && a.CloseX {
			return nil, linux.ENOENT
		}
		before := []string{interp}
		if one != "" {
			before = append(before, one)
		}
		before = append(before, name)
		if len(argv) > 0 {
			argv = argv[1:]
		}
		argv = append(before, argv...)
		name = interp
		if prog, err = l.open(c, &task.ExecArgs{Path: interp}); err != nil {
			return nil, err
		}
	}
	defer prog.d.DecRef()
	b := &builder{l: l, t: t, c: c, file: prog, args: a, argv: argv}
	return b.build()
}

// open opens a program: a regular file that may be executed, on a mount that
// allows it.
func (l *Loader) open(c *vfs.Caller, a *task.ExecArgs) (*opened, error) {
	d := a.File
	if d != nil {
		if err := d.MayExec(c); err != nil {
			return nil, err
		}
		re, err := vfs.Reopen(c, d)
		if err != nil {
			return nil, err
		}
		d = re
	} else {
		start, path := a.Start, a.Path
		if !start.Valid() {
			start = c.Cwd
		}
		if a.Rel != "" {
			path = a.Rel
		}
		var err error
		if d, err = vfs.OpenExec(c, start, path, a.Nofol); err != nil {
			return nil, err
		}
	}
	o := &opened{d: d}
	var err error
	if o.attr, err = d.Attr(); err == nil && !o.attr.Mode.IsRegular() {
		err = linux.EACCES
	}
	if err == nil {
		buf := make([]byte, headSize)
		dst := usermem.OfBytes(buf)
		var n int
		n, err = d.PRead(c, &dst, 0)
		o.head = buf[:n]
	}
	if err != nil {
		d.DecRef()
		return nil, err
	}
	return o, nil
}

// findRange returns an aligned range of n free bytes: a program with an
// interpreter goes where Linux puts it, at two thirds of the address space;
// anything else goes among the mappings. Nobody else maps into the space yet,
// so the range stays free.
func findRange(m *mm.MemoryManager, n, align uint64, program bool) (uint64, error) {
	o := mm.MMapOpts{Len: n + align - pageSize, Prot: linux.PROT_NONE, Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_NORESERVE}
	if program {
		o.Addr = m.InterpreterBase()
	}
	at, err := m.MMap(nil, o)
	if err != nil {
		return 0, linux.ENOMEM
	}
	if err := m.MUnmap(nil, at, o.Len); err != nil {
		return 0, err
	}
	return (at + align - 1) &^ (align - 1), nil
}

// A builder makes one image.
type builder struct {
	l    *Loader
	t    *task.Task
	c    *vfs.Caller
	file *opened
	args *task.ExecArgs
	argv []string

	m      *mm.MemoryManager
	layout mm.Layout
}

func (b *builder) build() (*task.Image, error) {
	p, err := parseELF(b.file.head, b.file)
	if err != nil {
		return nil, err
	}
	var interp *program
	var ifile *opened
	if p.interp != "" {
		if ifile, err = b.l.open(b.c, &task.ExecArgs{Path: p.interp}); err != nil {
			return nil, err
		}
		defer ifile.d.DecRef()
		defer ifile.d.EndExec()
		if interp, err = parseELF(ifile.head, ifile); err != nil {
			if err == linux.ENOEXEC {
				err = linux.ELIBBAD
			}
			return nil, err
		}
	}
	sys := b.t.System()
	b.m = mm.New(mm.Config{
		Platform: sys.Platform, Memory: sys.Memory, Limits: b.t.Group().Limits(),
		Texts: b.l.sharedTexts(sys.Memory),
		Fixed: b.t.Personality()&linux.ADDR_NO_RANDOMIZE != 0,
		Random: func() uint64 {
			var bits [8]byte
			sys.Random(bits[:])
			return binary.NativeEndian.Uint64(bits[:])
		},
	})
	im, err := b.fill(p, interp, ifile)
	if err != nil {
		b.m.DecUsers()
		return nil, err
	}
	return im, nil
}

func (b *builder) fill(p, interp *program, ifile *opened) (*task.Image, error) {
	bias, err := b.mapProgram(p, b.file, true, interp != nil)
	if err != nil {
		return nil, err
	}
	entry, base := p.entry+bias, uint64(0)
	if interp != nil {
		if base, err = b.mapProgram(interp, ifile, false, false); err != nil {
			return nil, err
		}
		entry = interp.entry + base
	}
	vdso, err := b.l.vdso.mapInto(b.m, b.timeNS())
	if err != nil {
		return nil, err
	}
	cred, secure, e := b.credentials()
	if e != 0 {
		return nil, e
	}
	aux := b.auxv(p, bias, base, vdso, cred, secure)
	sp, err := b.buildStack(p, aux)
	if err != nil {
		return nil, err
	}
	b.layout.Exe = b.file.d
	b.m.SetLayout(func(l *mm.Layout) {
		brk, start := l.Brk, l.StartBrk
		*l = b.layout
		l.Brk, l.StartBrk = brk, start
	})
	return &task.Image{
		MM: b.m, Entry: entry, Stack: sp, Name: b.name(), Cred: cred, Secure: secure,
		Readable: vfs.May(b.c, b.file.d.Path(), vfs.MayRead) == nil,
	}, nil
}

// name is the new command name: the last part of the path that was executed.
func (b *builder) name() string {
	s := b.args.Path
	return s[strings.LastIndexByte(s, '/')+1:]
}

// mapProgram maps the segments and returns the bias that was added to their
// addresses.
func (b *builder) mapProgram(p *program, f *opened, main, hasInterp bool) (bias uint64, err error) {
	span := p.loadMax - p.loadMin
	if p.dyn {
		at, err := findRange(b.m, span, p.align, main && hasInterp)
		if err != nil {
			return 0, err
		}
		bias = at - p.loadMin
	} else if p.loadMin < arch.MinProgramAddress {
		return 0, linux.EPERM
	}
	var brk uint64
	for i := range p.phdrs {
		h := &p.phdrs[i]
		if h.typ != ptLoad || h.memsz == 0 {
			continue
		}
		if err := b.mapSegment(h, bias, f); err != nil {
			return 0, err
		}
		brk = max(brk, h.vaddr+h.memsz+bias)
		if main {
			b.noteSegment(h, bias)
		}
	}
	if main {
		b.m.SetBrk(roundUp(brk))
	}
	return bias, nil
}

func (b *builder) noteSegment(h *phdr, bias uint64) {
	start, end := h.vaddr+bias, h.vaddr+h.filesz+bias
	l := &b.layout
	if h.flags&pfX != 0 {
		if l.StartCode == 0 || start < l.StartCode {
			l.StartCode = start
		}
		l.EndCode = max(l.EndCode, end)
	} else if start > l.StartData {
		l.StartData = start
	}
	l.EndData = max(l.EndData, end)
}

func (h *phdr) prot() (p linux.Prot) {
	if h.flags&pfR != 0 {
		p |= linux.PROT_READ
	}
	if h.flags&pfW != 0 {
		p |= linux.PROT_WRITE
	}
	if h.flags&pfX != 0 {
		p |= linux.PROT_EXEC
	}
	return p
}

// mapSegment maps the file's part, clears what is behind it on its last page
// and maps zero pages for the rest (Linux: fs/binfmt_elf.c elf_load).
func (b *builder) mapSegment(h *phdr, bias uint64, f *opened) error {
	start := h.vaddr + bias
	page := start &^ (pageSize - 1)
	fileEnd, memEnd := start+h.filesz, start+h.memsz
	fixed := linux.MAP_PRIVATE | linux.MAP_FIXED
	zeroFrom := page
	if h.filesz > 0 {
		mappable, err := f.d.Mappable(h.prot(), false)
		if err != nil {
			return err
		}
		_, err = b.m.MMap(nil, mm.MMapOpts{
			Addr: page, Len: roundUp(fileEnd) - page, Prot: h.prot(), Flags: fixed,
			Mappable: mappable, File: f.d, Offset: h.offset - (start - page),
		})
		if err != nil {
			return err
		}
		zeroFrom = roundUp(fileEnd)
		if memEnd > fileEnd && h.flags&pfW != 0 && fileEnd%pageSize != 0 {
			if _, err := b.m.ZeroOut(fileEnd, min(zeroFrom, roundUp(memEnd))-fileEnd); err != nil {
				return linux.EFAULT
			}
		}
	}
	if roundUp(memEnd) <= zeroFrom {
		return nil
	}
	_, err := b.m.MMap(nil, mm.MMapOpts{
		Addr: zeroFrom, Len: roundUp(memEnd) - zeroFrom, Prot: h.prot(), Flags: fixed | linux.MAP_ANONYMOUS,
	})
	return err
}
