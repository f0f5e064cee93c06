package netfilter

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// attrs are netlink attributes by their type; of two of one type the last counts.
type attrs map[uint16][]byte

// maxDepth and maxList bound what a guest's message can make of its length.
const maxList = 4096

// parseAttrs reads attributes; false when they are broken.
func parseAttrs(b []byte) (attrs, bool) {
	out := make(attrs)
	ok := each(b, func(typ uint16, data []byte) bool {
		out[typ] = data
		return true
	})
	return out, ok
}

// each calls fn with each attribute, until it says false.
func each(b []byte, fn func(typ uint16, data []byte) bool) bool {
	for n := 0; len(b) >= linux.NLA_HDRLEN; n++ {
		size := int(binary.LittleEndian.Uint16(b))
		if size < linux.NLA_HDRLEN || size > len(b) || n > maxList {
			return false
		}
		if !fn(binary.LittleEndian.Uint16(b[2:])&linux.NLA_TYPE_MASK, b[linux.NLA_HDRLEN:size]) {
			return false
		}
		b = b[min(linux.NlAlign(size), len(b)):]
	}
	return true
}

// maxName is NFT_NAME_MAXLEN.
const maxName = 256

// text reads a name.
func (a attrs) text(typ uint16) string {
	b := a[typ]
	for i, c := range b {
		if c == 0 {
			return string(b[:min(i, maxName)])
		}
	}
	return string(b[:min(len(b), maxName)])
}

func (a attrs) u32(typ uint16) (uint32, bool) {
	if b := a[typ]; len(b) >= 4 {
		return binary.BigEndian.Uint32(b), true
	}
	return 0, false
}

func (a attrs) u64(typ uint16) (uint64, bool) {
	if b := a[typ]; len(b) >= 8 {
		return binary.BigEndian.Uint64(b), true
	}
	return 0, false
}

// A Writer makes attributes.
type Writer struct{ B []byte }

const nested = 0x8000 // NLA_F_NESTED

// Attr adds an attribute.
func (w *Writer) Attr(typ uint16, data []byte) {
	w.B = binary.LittleEndian.AppendUint16(w.B, uint16(linux.NLA_HDRLEN+len(data)))
	w.B = binary.LittleEndian.AppendUint16(w.B, typ)
	w.B = append(w.B, data...)
	for len(w.B)%linux.NLA_ALIGNTO != 0 {
		w.B = append(w.B, 0)
	}
}

func (w *Writer) text(typ uint16, s string) { w.Attr(typ, append([]byte(s), 0)) }
func (w *Writer) u32(typ uint16, v uint32)  { w.Attr(typ, binary.BigEndian.AppendUint32(nil, v)) }
func (w *Writer) u64(typ uint16, v uint64)  { w.Attr(typ, binary.BigEndian.AppendUint64(nil, v)) }

// nest adds an attribute of attributes.
func (w *Writer) nest(typ uint16, fill func(w *Writer)) {
	at := len(w.B)
	w.Attr(typ|nested, nil)
	fill(w)
	binary.LittleEndian.PutUint16(w.B[at:], uint16(len(w.B)-at))
}
