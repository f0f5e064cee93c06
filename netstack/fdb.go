package netstack

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"cordon/internal/linux"
)

// A Station is an address that a bridge knows.
type Station struct {
	HWAddr HWAddr
	Port   int32  // 0: the bridge itself
	Number uint16 // of the port
	Local  bool   // this machine's
	Static bool   // it stays where it is until it is heard of elsewhere
	Sticky bool   // it stays even then
	Old    bool   // it will be forgotten
	ByUser bool

	SeenNS, UsedNS int64 // how long ago
}

// Stations lists what a bridge knows, by port and address.
func (s *Stack) Stations(index int32) []Station {
	b := s.bridgeOf(index)
	if b == nil {
		return nil
	}
	now := b.now()
	b.mu.Lock()
	out := make([]Station, 0, len(b.stations))
	for a, st := range b.stations {
		if b.old(&st, now) {
			continue
		}
		o := Station{
			HWAddr: a, Local: st.local, Static: st.static, Sticky: st.sticky, ByUser: st.byUser,
			SeenNS: int64(now.Sub(st.seen)), UsedNS: int64(now.Sub(st.used)),
		}
		if st.port != nil {
			o.Port, o.Number = st.port.index, st.port.number
		}
		out = append(out, o)
	}
	b.mu.Unlock()
	slices.SortFunc(out, func(x, y Station) int {
		return cmp.Or(cmp.Compare(x.Number, y.Number), bytes.Compare(x.HWAddr[:], y.HWAddr[:]))
	})
	return out
}

// Station looks an address up in a bridge.
func (s *Stack) Station(index int32, a HWAddr) (Station, bool) {
	for _, st := range s.Stations(index) {
		if st.HWAddr == a {
			return st, true
		}
	}
	return Station{}, false
}

// SetStation tells a bridge of an address; st.Port is 0 for the bridge's own. EEXIST where excl is set and it is known, ENOENT
// where create is not and it is not, ENOMEM when it knows too many. (Linux: br_fdb.c fdb_add_entry)
func (s *Stack) SetStation(index int32, st Station, create, excl bool) error {
	b := s.bridgeOf(index)
	if b == nil {
		return linux.EOPNOTSUPP
	}
	var p *bridgePort
	if st.Port != 0 {
		if p = s.portOf(st.Port); p == nil || p.bridge != b {
			return linux.EINVAL
		}
	}
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.stations[st.HWAddr]
	known = known && !b.old(&old, now)
	switch {
	case known && excl:
		return linux.EEXIST
	case !known && !create:
		return linux.ENOENT
	case !known && !b.roomLocked(now):
		return linux.ENOMEM
	}
	b.stations[st.HWAddr] = station{
		port: p, seen: now, used: now, local: st.Local, static: st.Static || st.Local, sticky: st.Sticky, byUser: true,
	}
	return nil
}

// RemoveStation has a bridge forget an address at a port. ENOENT when it does not know it there.
func (s *Stack) RemoveStation(index, port int32, a HWAddr) error {
	b := s.bridgeOf(index)
	if b == nil {
		return linux.EOPNOTSUPP
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.stations[a]
	if !ok || (st.port == nil) != (port == 0) || st.port != nil && st.port.index != port {
		return linux.ENOENT
	}
	delete(b.stations, a)
	return nil
}

// FlushStations has a bridge forget what it has learned, or with which what that takes.
func (s *Stack) FlushStations(index int32, which func(*Station) bool) {
	b := s.bridgeOf(index)
	if b == nil {
		return
	}
	all := s.Stations(index)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, st := range all {
		if which == nil && !st.Static && !st.Local || which != nil && which(&st) {
			delete(b.stations, st.HWAddr)
		}
	}
}

// AgeOf is how long ago a station was heard of, in hundredths of a second.
func (st *Station) AgeOf() uint32 { return uint32(time.Duration(st.SeenNS) / clockTick) }
