package task

import (
	"encoding/binary"
	"strings"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/arg"
	"cordon/sentry/mm"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A core is a core file to be (elf(5), Linux: fs/binfmt_elf.c elf_core_dump).
type core struct {
	mm       *mm.MemoryManager
	notes    []byte
	segments []coreSegment
}

// A coreSegment is a mapping, of which the first size bytes are written.
type coreSegment struct {
	mm.VMAInfo
	size uint64
	anon bool // what has no memory reads as zeros
}

const (
	ehdrSize = 64
	phdrSize = 56
	// maxSegments is what the header can count (PN_XNUM).
	maxSegments = 0xfffe
)

// newCore gathers all but memory.
func newCore(t *Task, info *linux.SigInfo) *core {
	c := &core{mm: t.MM()}
	infos, counts := c.mm.SnapshotPages()
	for i := range infos[:min(len(infos), maxSegments)] {
		c.segments = append(c.segments, c.segment(&infos[i], &counts[i]))
	}
	if info.Code == codeFromOutside {
		i := *info
		i.Code = linux.SI_KERNEL
		info = &i
	}
	for i, th := range t.coreThreads(info.Signo) {
		c.note("CORE", linux.NT_PRSTATUS, arg.Bytes(&th.status), arg.Bytes(&th.regs), []byte{1, 0, 0, 0, 0, 0, 0, 0})
		if i == 0 {
			ps := t.psinfo(&th.status)
			c.note("CORE", linux.NT_PRPSINFO, arg.Bytes(&ps))
			c.note("CORE", linux.NT_SIGINFO, arg.Bytes(info))
			var aux []byte
			for _, v := range c.mm.Layout().Auxv {
				aux = binary.LittleEndian.AppendUint64(aux, v)
			}
			c.note("CORE", linux.NT_AUXV, aux)
			c.note("CORE", linux.NT_FILE, c.files())
		}
		c.fpuNotes(th.fpu)
	}
	return c
}

// fpuNotes adds the extended state, whose first part has a note of its own.
func (c *core) fpuNotes(fpu []byte) {
	const legacy, offFeatures = 512, 464
	if len(fpu) < legacy {
		return
	}
	c.note("CORE", linux.NT_PRFPREG, fpu[:legacy])
	state := append([]byte(nil), fpu...)
	binary.LittleEndian.PutUint64(state[offFeatures:], arch.FPUFeatures())
	c.note("LINUX", linux.NT_X86_XSTATE, state)
}

// note appends a note of some parts.
func (c *core) note(name string, kind uint32, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	h := linux.ElfNhdr{Namesz: uint32(len(name) + 1), Descsz: uint32(n), Type: kind}
	c.notes = append(c.notes, arg.Bytes(&h)...)
	c.notes = pad4(append(c.notes, name+"\x00"...))
	for _, p := range parts {
		c.notes = append(c.notes, p...)
	}
	c.notes = pad4(c.notes)
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// psinfo is what ps(1) would show.
func (t *Task) psinfo(st *linux.ElfPrstatus) linux.ElfPrpsinfo {
	cr := t.Cred()
	ps := linux.ElfPrpsinfo{
		Sname: 'R', Nice: int8(t.sched.Nice), UID: cr.RUID, GID: cr.RGID,
		PID: t.PID(), PPID: st.PPID, PGrp: st.PGrp, SID: st.SID,
	}
	copy(ps.Fname[:15], t.Name())
	l := t.MM().Layout()
	n := min(l.ArgEnd-l.ArgStart, uint64(len(ps.Psargs)-1))
	k, _ := t.MM().CopyIn(l.ArgStart, ps.Psargs[:n])
	for i := range k {
		if ps.Psargs[i] == 0 {
			ps.Psargs[i] = ' '
		}
	}
	return ps
}

// files is NT_FILE: which files are mapped where.
func (c *core) files() []byte {
	var b []byte
	var names strings.Builder
	count := uint64(0)
	for i := range c.segments {
		s := &c.segments[i]
		if s.Inode == 0 || !strings.HasPrefix(s.Path, "/") {
			continue
		}
		count++
		for _, v := range [...]uint64{s.Start, s.End, s.Offset / linux.PageSize} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		names.WriteString(s.Path)
		if s.Deleted {
			names.WriteString(" (deleted)")
		}
		names.WriteByte(0)
	}
	head := binary.LittleEndian.AppendUint64(nil, count)
	head = binary.LittleEndian.AppendUint64(head, linux.PageSize)
	return append(append(head, b...), names.String()...)
}

// segment says how much of a mapping is written: as the default of
// coredump_filter has it (Linux: fs/coredump.c vma_dump_size), private memory
// that was stored to, shared memory without a name, and the heads of programs.
func (c *core) segment(v *mm.VMAInfo, n *mm.PageCounts) coreSegment {
	s := coreSegment{VMAInfo: *v, anon: v.Inode == 0}
	whole := v.End - v.Start
	switch {
	case v.Path == "[vdso]":
		s.size, s.anon = whole, false
	case v.DontDump || v.Path == "[vvar]":
	case v.Shared:
		if v.Deleted || v.Inode == 0 || strings.HasPrefix(v.Path, "/SYSV") {
			s.size = whole
		}
	case n.Anonymous > 0:
		s.size = whole
	case v.Inode != 0 && v.Offset == 0 && v.Prot&linux.PROT_READ != 0:
		var magic [len(linux.ELFMAG)]byte
		if _, err := c.mm.CopyIn(v.Start, magic[:]); err == nil && string(magic[:]) == linux.ELFMAG {
			s.size = linux.PageSize
		}
	}
	return s
}

func (s *coreSegment) flags() (f uint32) {
	for _, p := range [...]struct {
		prot linux.Prot
		flag uint32
	}{{linux.PROT_READ, linux.PF_R}, {linux.PROT_WRITE, linux.PF_W}, {linux.PROT_EXEC, linux.PF_X}} {
		if s.Prot&p.prot != 0 {
			f |= p.flag
		}
	}
	return f
}

// write writes the file, as far as the limit lets it.
func (c *core) write(w *coreWriter) {
	off := uint64(ehdrSize + phdrSize*(len(c.segments)+1))
	h := linux.ElfEhdr{
		Type: linux.ET_CORE, Machine: linux.EM_X86_64, Version: linux.EV_CURRENT, Phoff: ehdrSize,
		Ehsize: ehdrSize, Phentsize: phdrSize, Phnum: uint16(len(c.segments) + 1),
	}
	copy(h.Ident[:], linux.ELFMAG+string([]byte{linux.ELFCLASS64, linux.ELFDATA2LSB, linux.EV_CURRENT}))
	head := append([]byte(nil), arg.Bytes(&h)...)
	ph := linux.ElfPhdr{Type: linux.PT_NOTE, Off: off, Filesz: uint64(len(c.notes)), Align: 4}
	head = append(head, arg.Bytes(&ph)...)
	data := (off + ph.Filesz + linux.PageSize - 1) &^ (linux.PageSize - 1)
	off = data
	for i := range c.segments {
		s := &c.segments[i]
		ph := linux.ElfPhdr{
			Type: linux.PT_LOAD, Flags: s.flags(), Off: off, Vaddr: s.Start, Filesz: s.size, Memsz: s.End - s.Start, Align: linux.PageSize,
		}
		head = append(head, arg.Bytes(&ph)...)
		off += s.size
	}
	ok := w.write(append(head, c.notes...), 0)
	for i := range c.segments {
		s := &c.segments[i]
		ok = ok && w.copy(c.mm, s, data)
		data += s.size
	}
	if ok {
		w.d.Truncate(w.t.Caller(), int64(data)) // holes at the end count too
	}
}

// A coreWriter writes until the limit, or SIGKILL.
type coreWriter struct {
	t     *Task
	d     *vfs.Description
	limit uint64 // RLIMIT_CORE
	buf   [coreStep]byte
	have  [coreStep / linux.PageSize]byte
}

const coreStep = 64 << 10

func (w *coreWriter) write(b []byte, off uint64) bool {
	for len(b) > 0 {
		if off >= w.limit || w.t.work.Load()&workKill != 0 {
			return false
		}
		src := usermem.OfBytes(b[:min(uint64(len(b)), w.limit-off)])
		n, err := w.d.PWrite(w.t.Caller(), &src, int64(off))
		if err != nil || n == 0 {
			return false
		}
		b, off = b[n:], off+uint64(n)
	}
	return true
}

// copy writes a mapping's memory; what has none becomes a hole.
func (w *coreWriter) copy(m *mm.MemoryManager, s *coreSegment, off uint64) bool {
	for done := uint64(0); done < s.size; {
		n := min(s.size-done, coreStep)
		have := w.have[:n/linux.PageSize]
		if !s.anon || !m.Resident(s.Start+done, have) {
			for i := range have {
				have[i] = 1
			}
		}
		for i := range have {
			at := uint64(i) * linux.PageSize
			p := w.buf[:linux.PageSize]
			if have[i]&1 == 0 {
				continue
			}
			if k, _ := m.Remote().ReadAt(s.Start+done+at, p); k < len(p) {
				continue // beyond the end of a file
			}
			if !w.write(p, off+done+at) {
				return false
			}
		}
		done += n
	}
	return true
}
