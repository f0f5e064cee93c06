package procfs

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/mm"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// chunk is how much of another address space is copied at once.
const chunk = 64 << 10

func mapsText(o *opening) (b []byte, err error) {
	o.withMM(func(m *mm.MemoryManager) { b = m.AppendMaps(b) })
	return b, nil
}

func smapsText(o *opening) (b []byte, err error) {
	o.withMM(func(m *mm.MemoryManager) { b = m.AppendSmaps(b) })
	return b, nil
}

func smapsRollupText(o *opening) (b []byte, err error) {
	if o.mm == nil {
		return nil, linux.ESRCH
	}
	o.withMM(func(m *mm.MemoryManager) { b = m.AppendSmapsRollup(b) })
	return b, nil
}

// numaMapsText is /proc/pid/numa_maps of a machine with one node.
func numaMapsText(o *opening) (b []byte, err error) {
	o.withMM(func(m *mm.MemoryManager) {
		infos, counts := m.SnapshotPages()
		for i := range infos {
			v, c := &infos[i], &counts[i]
			b = fmt.Appendf(b, "%08x default", v.Start)
			switch {
			case v.Path == "[heap]":
				b = append(b, " heap"...)
			case v.Path == "[stack]":
				b = append(b, " stack"...)
			case v.Inode != 0:
				b = append(b, " file="...)
				b = append(b, escapeBlanks(v.Path)...)
			}
			const page = pageSize
			if n := c.RSS() / page; n > 0 {
				if c.Anonymous > 0 {
					b = fmt.Appendf(b, " anon=%d dirty=%d", c.Anonymous/page, c.Anonymous/page)
				}
				if k := (c.File + c.Shmem) / page; k > 0 {
					b = fmt.Appendf(b, " mapped=%d", k)
				}
				b = fmt.Appendf(b, " active=0 N0=%d kernelpagesize_kB=%d", n, page/1024)
			}
			b = append(b, '\n')
		}
	})
	return b, nil
}

func escapeBlanks(s string) []byte {
	var b []byte
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\\':
			b = fmt.Appendf(b, `\%03o`, c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// cmdlineText is the argument area, or what a program that sets its title has
// put there (Linux: fs/proc/base.c get_mm_cmdline).
func cmdlineText(o *opening) (b []byte, err error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	withTaskMM(t, func(m *mm.MemoryManager) { b = commandLine(m) })
	return b, nil
}

// maxArea bounds an argument or environment area; exec does not make larger
// ones, but prctl(PR_SET_MM) might.
const maxArea = 8 << 20

func commandLine(m *mm.MemoryManager) []byte {
	l := m.Layout()
	if l.ArgEnd <= l.ArgStart {
		return nil
	}
	args := readArea(m, l.ArgStart, l.ArgEnd)
	if n := l.ArgEnd - l.ArgStart; uint64(len(args)) < n || args[n-1] == 0 {
		return args
	}
	// The last NUL is overwritten: it is a title, which may go on into the
	// environment.
	title := readArea(m, l.ArgStart, l.ArgStart+pageSize)
	if i := bytes.IndexByte(title, 0); i >= 0 {
		title = title[:i+1]
	}
	return title
}

// readArea reads [start, end), as far as it can be read.
func readArea(m *mm.MemoryManager, start, end uint64) []byte {
	b := make([]byte, min(end-start, maxArea))
	n, _ := m.Remote().ReadAt(start, b)
	return b[:n]
}

func newEnviron(o *opening) (vfs.File, error) { return &environFile{o: o}, nil }

// An environFile is /proc/pid/environ: read as it is now, at any offset.
type environFile struct{ o *opening }

func (f *environFile) Release() {}

// ReadAt implements vfs.ReaderAt.
func (f *environFile) ReadAt(dst *usermem.Seq, off int64) (n int, err error) {
	f.o.withMM(func(m *mm.MemoryManager) {
		l := m.Layout()
		if l.EnvEnd <= l.EnvStart || uint64(off) >= l.EnvEnd-l.EnvStart {
			return
		}
		end := min(l.EnvEnd, l.EnvStart+uint64(off)+dst.Len())
		n, err = readRemote(m, dst, l.EnvStart+uint64(off), end)
	})
	return n, err
}

// readRemote copies [from, end) to dst in pieces.
func readRemote(m *mm.MemoryManager, dst *usermem.Seq, from, end uint64) (int, error) {
	done := 0
	buf := make([]byte, min(end-from, chunk))
	for from < end {
		n, err := m.Remote().ReadAt(from, buf[:min(end-from, chunk)])
		if n > 0 {
			var k int
			k, err = dst.CopyOut(buf[:n])
			done += k
			from += uint64(k)
			if err == nil && k < n {
				return done, nil
			}
		}
		if err != nil {
			if done > 0 {
				err = nil
			}
			return done, err
		}
	}
	return done, nil
}

func auxvText(o *opening) (b []byte, err error) {
	o.withMM(func(m *mm.MemoryManager) {
		for _, w := range m.Layout().Auxv {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	})
	return b, nil
}

// A memFile is /proc/pid/mem: the offset is the address.
type memFile struct{ o *opening }

func newMemFile(o *opening) (vfs.File, error) { return &memFile{o}, nil }

func (f *memFile) Release() {}

// ReadAt implements vfs.ReaderAt.
func (f *memFile) ReadAt(dst *usermem.Seq, off int64) (n int, err error) {
	f.o.withMM(func(m *mm.MemoryManager) {
		at := uint64(off)
		n, err = readRemote(m, dst, at, at+min(dst.Len(), usermem.MaxIO))
	})
	return n, err
}

// WriteAt implements vfs.WriterAt.
func (f *memFile) WriteAt(src *usermem.Seq, off int64) (done int, err error) {
	f.o.withMM(func(m *mm.MemoryManager) {
		buf := make([]byte, min(src.Len(), chunk))
		for src.Len() > 0 {
			part := src.Take(uint64(len(buf)))
			n, e := part.CopyIn(buf[:min(uint64(len(buf)), src.Len())])
			if n > 0 {
				n, e = m.Remote().WriteAt(uint64(off)+uint64(done), buf[:n])
				src.Skip(uint64(n))
				done += n
			}
			if e != nil || n == 0 {
				if done == 0 {
					err = e
				}
				return
			}
		}
	})
	return done, err
}

// A pagemapFile is /proc/pid/pagemap: a word for each page.
type pagemapFile struct{ o *opening }

func newPagemap(o *opening) (vfs.File, error) { return &pagemapFile{o}, nil }

func (f *pagemapFile) Release() {}

// ReadAt implements vfs.ReaderAt.
func (f *pagemapFile) ReadAt(dst *usermem.Seq, off int64) (n int, err error) {
	if off%8 != 0 || dst.Len()%8 != 0 {
		return 0, linux.EINVAL
	}
	f.o.withMM(func(m *mm.MemoryManager) {
		_, end := m.Bounds()
		words := make([]uint64, chunk/8)
		var raw []byte
		for at := uint64(off) / 8 * pageSize; dst.Len() > 0 && at < end; {
			k := min(uint64(len(words)), dst.Len()/8, (end-at)/pageSize)
			m.PageMap(at, words[:k])
			raw = raw[:0]
			for _, w := range words[:k] {
				raw = binary.LittleEndian.AppendUint64(raw, w)
			}
			c, e := dst.CopyOut(raw)
			n += c
			if e != nil {
				if n == 0 {
					err = e
				}
				return
			}
			at += k * pageSize
		}
	})
	return n, err
}
