package netstack

import (
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
)

func TestLargeViews(t *testing.T) {
	t.Run("memory_is_used_again_when_nobody_has_it", func(t *testing.T) {
		var l largeViews
		a, b := l.get(1000), l.get(1000)
		first, second := &a.AsSlice()[0], &b.AsSlice()[0]
		if first == second {
			t.Fatal("the same memory twice")
		}
		reader := a.Clone()
		a.Release()
		if c := l.get(1000); &c.AsSlice()[0] == first || &c.AsSlice()[0] == second {
			t.Error("memory that is still read was given out")
		}
		reader.Release()
		c := l.get(1000)
		if &c.AsSlice()[0] != first {
			t.Error("free memory was not used again: has pkg/buffer changed?")
		}
		if c.Size() != 1000 {
			t.Errorf("%d bytes", c.Size())
		}
	})
	t.Run("keeps_no_more_than_its_limit", func(t *testing.T) {
		var l largeViews
		var all []*buffer.View
		for range 2 * mostViews {
			all = append(all, l.get(100))
		}
		for _, v := range all {
			v.Release()
		}
		if len(l.kept) != mostViews {
			t.Errorf("%d kept", len(l.kept))
		}
	})
}
