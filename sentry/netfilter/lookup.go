package netfilter

import "cordon/internal/linux"

// A lookup asks a set, and with to >= 0 a map.
type lookup struct {
	name   string
	id     uint32
	at, to int
	not    bool
	vmap   bool
}

func newLookup(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	l := &lookup{name: a.text(1), to: -1}
	l.id, _ = a.u32(4)
	if f, ok := a.u32(5); ok {
		l.not = f&1 != 0
	}
	var ok bool
	if l.at, ok = regOf(a, 2, 1); !ok {
		return nil, linux.EINVAL
	}
	if d, has := a.u32(3); has {
		if d == 0 {
			l.vmap = true
		} else if l.to, ok = regOf(a, 3, 1); !ok {
			return nil, linux.EINVAL
		}
	}
	return l, 0
}

func (l *lookup) eval(e *eval) bool {
	s := e.table.setOf[l.name]
	if s == nil || l.at+int(s.keyLen) > regsSize {
		return false
	}
	found := s.find(e.regs[l.at : l.at+int(s.keyLen)])
	if l.not {
		return found == nil
	}
	if found == nil {
		return false
	}
	switch {
	case l.vmap:
		e.code, e.chain = found.code, found.chain
	case l.to >= 0 && l.to+len(found.data) <= regsSize:
		e.store(l.to, found.data)
	}
	return true
}
