package netfilter

import (
	"errors"

	"cordon/internal/linux"
	"cordon/netstack"
)

var errImage = errors.New("packet filters that cannot be")

// Image is a Ruleset in a checkpoint: the messages that make it, with the handles that its objects have.
type Image struct {
	Gen      uint32
	Handles  uint64
	Messages []MessageImage
	Legacy   []LegacyImage
}

// MessageImage is a message in an Image.
type MessageImage struct {
	Type, Family uint8
	Handle       uint64
	Next         uint64 // of a table: the last handle in it
	Attrs        []byte
}

// Image returns the ruleset's image.
func (r *Ruleset) Image() Image {
	r.mu.Lock()
	defer r.mu.Unlock()
	im := Image{Gen: r.now.gen, Handles: r.now.handles}
	for _, l := range r.now.legacy {
		im.Legacy = append(im.Legacy, l.image())
	}
	put := func(typ, family uint8, handle uint64, fill func(w *Writer)) {
		var w Writer
		fill(&w)
		im.Messages = append(im.Messages, MessageImage{typ, family, handle, 0, w.B})
	}
	for _, t := range r.now.tables {
		put(MsgNewTable, t.family, t.handle, t.write)
		im.Messages[len(im.Messages)-1].Next = t.handles
		for _, s := range t.sets {
			put(MsgNewSet, t.family, s.handle, func(w *Writer) { s.write(w, t) })
		}
		for _, c := range t.chains {
			put(MsgNewChain, t.family, c.handle, func(w *Writer) { c.write(w, t) })
		}
		for _, s := range t.sets {
			for es := s.elems; len(es) > 0; {
				n := min(len(es), elemsPerMessage)
				put(MsgNewSetElem, t.family, 0, func(w *Writer) { s.writeElems(w, t, es[:n]) })
				es = es[n:]
			}
		}
		for _, c := range t.chains {
			for _, ru := range c.rules {
				put(MsgNewRule, t.family, ru.handle, func(w *Writer) { ru.write(w, t, c, 0) })
			}
		}
	}
	return im
}

// dropAttr takes one attribute out: a message that makes an object names no handle.
func dropAttr(b []byte, typ uint16) []byte {
	var w Writer
	each(b, func(t uint16, data []byte) bool {
		if t != typ {
			w.Attr(t, data)
		}
		return true
	})
	return w.B
}

// Restore makes the ruleset of an image on a stack.
func Restore(s *netstack.Stack, im Image) (*Ruleset, error) {
	r := New(s)
	if im.Gen <= 1 {
		return r, nil
	}
	b, errno := r.Begin(0)
	if errno != 0 {
		return nil, errImage
	}
	for _, m := range im.Messages {
		body := m.Attrs
		switch m.Type {
		case MsgNewChain:
			body = dropAttr(body, chainHandle)
		case MsgNewRule:
			body = dropAttr(dropAttr(body, ruleHandle), rulePosition)
		}
		b.s.handles = m.Handle - 1 // the next table's
		if n := len(b.s.tables); n > 0 && m.Type != MsgNewTable {
			b.s.tables[n-1].handles = m.Handle - 1 // or the next object's in the last table
		}
		if b.Apply(Message{m.Type, m.Family, linux.NLM_F_CREATE | linux.NLM_F_APPEND, body}) != 0 {
			b.Abort()
			return nil, errImage
		}
	}
	for i := range im.Legacy {
		l := im.Legacy[i].restore()
		if l == nil {
			b.Abort()
			return nil, errImage
		}
		b.s.legacy = append(b.s.legacy, l)
	}
	at := 0
	for _, m := range im.Messages {
		if m.Type == MsgNewTable && at < len(b.s.tables) {
			b.s.tables[at].handles = m.Next
			at++
		}
	}
	b.s.handles, b.s.gen = im.Handles, im.Gen-1
	if b.Commit() != 0 {
		return nil, errImage
	}
	return r, nil
}
