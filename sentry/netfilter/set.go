package netfilter

import (
	"bytes"
	"cmp"
	"slices"
)

// A set is named or belongs to one rule. Its elements are keys, intervals of keys, or keys with something they lead to.
type set struct {
	name     string
	handle   uint64
	flags    uint32
	raw      attrs // what it was made with, for listings
	keyLen   uint32
	keyType  uint32
	dataType uint32
	dataLen  uint32
	userdata []byte
	elems    []*element
	id       uint32

	// Made by sort.
	exact  map[string]*element
	ranges []interval
}

// An element does not change. end says that an interval ends before key.
type element struct {
	key      []byte
	end      bool
	data     []byte
	verdict  bool
	code     int32
	chain    string
	userdata []byte
}

// An interval is [from, to); to is nil when it has no end.
type interval struct {
	from, to []byte
	e        *element
}

// sort makes what find uses.
func (s *set) sort() {
	if s.flags&setInterval == 0 {
		s.exact = make(map[string]*element, len(s.elems))
		for _, e := range s.elems {
			s.exact[string(e.key)] = e
		}
		return
	}
	es := slices.Clone(s.elems)
	slices.SortStableFunc(es, func(a, b *element) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Compare(order(b.end), order(a.end)) // an end before a beginning at the same place
	})
	s.ranges = nil
	for _, e := range es {
		if n := len(s.ranges); n > 0 && s.ranges[n-1].to == nil {
			s.ranges[n-1].to = e.key
		}
		if !e.end {
			s.ranges = append(s.ranges, interval{from: e.key, e: e})
		}
	}
}

func order(end bool) int {
	if end {
		return 1
	}
	return 0
}

// find looks a key up.
func (s *set) find(key []byte) *element {
	if s.flags&setInterval == 0 {
		return s.exact[string(key)]
	}
	i, found := slices.BinarySearchFunc(s.ranges, key, func(r interval, k []byte) int { return bytes.Compare(r.from, k) })
	if !found {
		i--
	}
	if i < 0 || s.ranges[i].to != nil && bytes.Compare(key, s.ranges[i].to) >= 0 {
		return nil
	}
	return s.ranges[i].e
}
