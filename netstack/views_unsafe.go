package netstack

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"gvisor.dev/gvisor/pkg/buffer"
)

// mostViews is how many views of large frames a receiver keeps.
const mostViews = 3 * frameBatch

// largeViews are a receiver's buffers for what does not fit into the small part of a slot. pkg/buffer clears what it hands
// out, which takes as long as half a copy of a frame that is then written over it. So the receiver keeps a reference
// to each buffer, and uses one again when it is the only reference left.
type largeViews struct {
	// receiver-only
	kept []keptView
}

// A keptView is a view that is never released. references are those to its memory, its own among them.
type keptView struct {
	view       *buffer.View
	references *int64
}

// get returns a view of size bytes, the receiver's size, with anything in it.
func (l *largeViews) get(size int) *buffer.View {
	for i := range l.kept {
		// The first that is free: the one whose memory was in use last.
		if k := &l.kept[i]; k.view.Size() == size && atomic.LoadInt64(k.references) == 1 {
			return k.view.Clone()
		}
	}
	v := buffer.NewViewSize(size)
	if len(l.kept) == mostViews {
		return v
	}
	if r := references(v); r != nil {
		l.kept = append(l.kept, keptView{v, r})
		return v.Clone()
	}
	return v
}

// references finds the count of references to a view's memory, which pkg/buffer keeps to itself. nil where it is
// not found, or does not count as it should: then nothing is used twice.
func references(v *buffer.View) *int64 {
	chunk := reflect.ValueOf(v).Elem().FieldByName("chunk")
	if !chunk.IsValid() || chunk.Kind() != reflect.Pointer || chunk.Type().Elem().Kind() != reflect.Struct {
		return nil
	}
	count, ok := chunk.Type().Elem().FieldByName("refCount")
	if !ok || count.Type.Kind() != reflect.Struct {
		return nil
	}
	value, ok := count.Type.FieldByName("value")
	if !ok || value.Type.Kind() != reflect.Int64 {
		return nil
	}
	at := value.Offset
	t := chunk.Type().Elem()
	for _, i := range count.Index {
		if t.Kind() != reflect.Struct {
			return nil // an embedded pointer
		}
		at += t.Field(i).Offset
		t = t.Field(i).Type
	}
	r := (*int64)(unsafe.Add(chunk.UnsafePointer(), at))
	alone := atomic.LoadInt64(r) == 1
	other := v.Clone()
	shared := atomic.LoadInt64(r) == 2
	other.Release()
	if !alone || !shared || atomic.LoadInt64(r) != 1 {
		return nil
	}
	return r
}
