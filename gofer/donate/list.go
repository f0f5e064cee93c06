package donate

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// A list is directory entries as they cross the channel, and as the Sentry
// keeps them: text that is parsed where it is looked at. An entry is
//
//	type 1, form 1, length of the name 1, name, inode number 8,
//	attributes as form says, in a symbolic link with attributes length 2, target
//
// and a directory of a scan is a head before its entries:
//
//	depth 1, form 1, which entry of the directory above 4, count 4, attributes

// A Form says which attributes follow.
type Form uint8

const (
	FormNone   Form = iota // none were asked for, or they could not be had
	FormPacked             // a Packed
	FormFull               // an Attr, where Packed cannot say it
	forms
)

const (
	packedSize = 7*8 + 6*4
	headSize   = 1 + 1 + 4 + 4
	itemSize   = 3 + 8
	// maxItem bounds an entry.
	maxItem = itemSize + MaxName + attrSize + 2 + MaxTarget
)

// MaxItem is the room that any entry fits in.
const MaxItem = maxItem

// Packed is an Attr in as little memory as most inodes need. Times are
// nanoseconds.
type Packed struct {
	Ino, Size, Blocks          uint64
	Atime, Mtime, Ctime, Btime int64
	Mode, Nlink, UID, GID      uint32
	Blksize, Attributes        uint32
}

// Pack returns a, of an inode on device dev; false if Packed cannot say it.
func Pack(a *Attr, dev uint64) (Packed, bool) {
	p := Packed{
		Ino: a.Ino, Size: a.Size, Blocks: a.Blocks, Atime: a.Atime.NS(), Mtime: a.Mtime.NS(), Ctime: a.Ctime.NS(), Btime: a.Btime.NS(),
		Mode: uint32(a.Mode), Nlink: a.Nlink, UID: a.UID, GID: a.GID, Blksize: a.Blksize, Attributes: uint32(a.Attributes),
	}
	exact := a.Dev == dev && a.Rdev == 0 && uint64(a.Attributes)>>32 == 0 &&
		TimeFromNS(p.Atime) == a.Atime && TimeFromNS(p.Mtime) == a.Mtime && TimeFromNS(p.Ctime) == a.Ctime && TimeFromNS(p.Btime) == a.Btime
	return p, exact
}

// Unpack undoes Pack, but for what says how the attributes were got.
func (p *Packed) Unpack(dev uint64) Attr {
	return Attr{
		Dev: dev, Ino: p.Ino, Mode: linux.FileMode(p.Mode), Nlink: p.Nlink, UID: p.UID, GID: p.GID,
		Size: p.Size, Blocks: p.Blocks, Blksize: p.Blksize,
		Atime: TimeFromNS(p.Atime), Mtime: TimeFromNS(p.Mtime), Ctime: TimeFromNS(p.Ctime), Btime: TimeFromNS(p.Btime),
		Attributes: linux.StatxAttr(p.Attributes),
	}
}

// AppendHead begins a directory of a scan. Its entries follow; SetCount says
// how many, at the same place.
func AppendHead(b []byte, depth int, which uint32, a *Attr, dev uint64) []byte {
	form, p := formOf(a, dev)
	b = append(b, uint8(depth), uint8(form))
	b = binary.LittleEndian.AppendUint32(b, which)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return appendForm(b, form, a, &p)
}

// SetCount completes the head that is at the start of b.
func SetCount(b []byte, count uint32) { binary.LittleEndian.PutUint32(b[6:], count) }

// AppendItem adds an entry. a is nil if it has no attributes; those of the
// root's device dev take less.
func AppendItem(b, name []byte, typ linux.DirentType, ino uint64, a *Attr, dev uint64, target string) []byte {
	form, p := formOf(a, dev)
	b = append(b, uint8(typ), uint8(form), uint8(len(name)))
	b = append(b, name...)
	b = binary.LittleEndian.AppendUint64(b, ino)
	b = appendForm(b, form, a, &p)
	if form != FormNone && typ == linux.DT_LNK {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(target)))
		b = append(b, target...)
	}
	return b
}

func formOf(a *Attr, dev uint64) (Form, Packed) {
	if a == nil {
		return FormNone, Packed{}
	}
	p, exact := Pack(a, dev)
	if !exact {
		return FormFull, p
	}
	return FormPacked, p
}

func appendForm(b []byte, form Form, a *Attr, p *Packed) []byte {
	switch form {
	case FormPacked:
		for _, v := range [...]uint64{
			p.Ino, p.Size, p.Blocks, uint64(p.Atime), uint64(p.Mtime), uint64(p.Ctime), uint64(p.Btime),
		} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		for _, v := range [...]uint32{p.Mode, p.Nlink, p.UID, p.GID, p.Blksize, p.Attributes} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	case FormFull:
		e := encoder{b}
		e.attr(a)
		return e.b
	}
	return b
}

// A Head is the head of a directory of a scan.
type Head struct {
	Depth int    // 0 for one that the request named
	Which uint32 // entry of the directory above, or of the names in the request
	Count uint32
	Form  Form
	Attr  int // where its attributes are
	End   int // where its entries begin
}

// ParseHead reads the head at off of a list and reports whether it is whole.
func ParseHead(s string, off int) (h Head, ok bool) {
	if off+headSize > len(s) {
		return Head{}, false
	}
	h = Head{Depth: int(s[off]), Form: Form(s[off+1]), Which: get32(s, off+2), Count: get32(s, off+6), Attr: off + headSize}
	size, ok := formSize(h.Form)
	h.End = h.Attr + size
	return h, ok && h.End <= len(s)
}

// An Item is an entry of a list.
type Item struct {
	Type   linux.DirentType
	Form   Form
	Name   string
	Target string
	Ino    uint64
	Attr   int // where its attributes are
	End    int // where the next entry begins
}

// ParseItem reads the entry at off of a list and reports whether it is whole.
func ParseItem(s string, off int) (it Item, ok bool) {
	if off+itemSize > len(s) {
		return Item{}, false
	}
	it.Type, it.Form = linux.DirentType(s[off]), Form(s[off+1])
	n := int(s[off+2])
	size, ok := formSize(it.Form)
	it.Attr = off + itemSize + n
	it.End = it.Attr + size
	if !ok || it.End > len(s) {
		return Item{}, false
	}
	it.Name, it.Ino = s[off+3:off+3+n], get64(s, off+3+n)
	if it.Form != FormNone && it.Type == linux.DT_LNK {
		if it.End+2 > len(s) {
			return Item{}, false
		}
		k := int(s[it.End]) | int(s[it.End+1])<<8
		if it.End += 2; it.End+k > len(s) {
			return Item{}, false
		}
		it.Target = s[it.End : it.End+k]
		it.End += k
	}
	return it, true
}

// PeekItem returns the beginning of an entry that ParseItem has found whole.
func PeekItem(s string, off int) (typ linux.DirentType, name string, ino uint64) {
	end := off + 3 + int(s[off+2])
	return linux.DirentType(s[off]), s[off+3 : end], get64(s, end)
}

func formSize(f Form) (int, bool) {
	switch f {
	case FormNone:
		return 0, true
	case FormPacked:
		return packedSize, true
	case FormFull:
		return attrSize, true
	}
	return 0, false
}

// ParseAttr reads the attributes at off, of an inode of device dev if they are
// packed. False: they make no sense.
func ParseAttr(s string, off int, f Form, dev uint64) (a Attr, ok bool) {
	switch f {
	case FormPacked:
		p := Packed{
			Ino: get64(s, off), Size: get64(s, off+8), Blocks: get64(s, off+16), Atime: int64(get64(s, off+24)),
			Mtime: int64(get64(s, off+32)), Ctime: int64(get64(s, off+40)), Btime: int64(get64(s, off+48)),
			Mode: get32(s, off+56), Nlink: get32(s, off+60), UID: get32(s, off+64), GID: get32(s, off+68),
			Blksize: get32(s, off+72), Attributes: get32(s, off+76),
		}
		return p.Unpack(dev), true
	case FormFull:
		d := decoder{b: []byte(s[off : off+attrSize])}
		d.attr(&a)
		return a, !d.bad
	}
	return Attr{}, false
}

func get32(s string, i int) uint32 {
	s = s[i : i+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func get64(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
