package netfilter

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"cordon/internal/linux"
)

func (b *Batch) newSet(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, setTable)
	if errno != 0 {
		return errno
	}
	s := &set{name: a.text(setName), userdata: bytes.Clone(a[setUserdata])}
	s.flags, _ = a.u32(setFlags)
	s.keyLen, _ = a.u32(setKeyLen)
	s.keyType, _ = a.u32(setKeyType)
	s.dataType, _ = a.u32(setDataType)
	s.dataLen, _ = a.u32(setDataLen)
	s.id, _ = a.u32(setID)
	if s.name == "" || s.keyLen == 0 || s.keyLen > regsSize || s.dataLen > regsSize || len(s.userdata) > maxUserdata {
		return linux.EINVAL
	}
	for _, x := range []uint16{setTimeout, setGCInterval, setExpr, setExpressions} {
		if _, has := a[x]; has {
			return linux.EOPNOTSUPP
		}
	}
	if s.flags&^setKnownFlags != 0 {
		return linux.EOPNOTSUPP
	}
	if strings.Contains(s.name, "%d") {
		for n := 0; ; n++ {
			if name := strings.Replace(s.name, "%d", strconv.Itoa(n), 1); t.set(name) == nil {
				s.name = name
				break
			}
		}
	}
	if old := t.set(s.name); old != nil {
		if m.Flags&linux.NLM_F_EXCL != 0 {
			return linux.EEXIST
		}
		if old.flags != s.flags || old.keyLen != s.keyLen {
			return linux.EEXIST
		}
		old.id = s.id
		return 0
	}
	if m.Flags&linux.NLM_F_CREATE == 0 {
		return linux.ENOENT
	}
	if b.full() {
		return linux.ENOMEM
	}
	s.handle = t.next()
	s.raw = attrs{setDesc: bytes.Clone(a[setDesc]), setPolicy: bytes.Clone(a[setPolicy])}
	t.sets = append(t.sets, s)
	return 0
}

func (b *Batch) delSet(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, setTable)
	if errno != 0 {
		return errno
	}
	handle, byHandle := a.u64(setHandle)
	i := slices.IndexFunc(t.sets, func(s *set) bool {
		return byHandle && s.handle == handle || !byHandle && s.name == a.text(setName)
	})
	if i < 0 {
		return linux.ENOENT
	}
	if t.uses(t.sets[i]) > 0 {
		return linux.EBUSY
	}
	t.sets = slices.Delete(t.sets, i, i+1)
	return 0
}

func (b *Batch) setOfElems(m Message, a attrs) (*table, *set, linux.Errno) {
	t, errno := b.tableOf(m, a, elemsTable)
	if errno != 0 {
		return nil, nil, errno
	}
	if s := t.set(a.text(elemsSet)); s != nil {
		return t, s, 0
	}
	if id, ok := a.u32(elemsSetID); ok {
		for _, s := range t.sets {
			if s.id == id && id != 0 {
				return t, s, 0
			}
		}
	}
	return nil, nil, linux.ENOENT
}

// readElem reads one element for a set.
func (s *set) readElem(b []byte) (*element, linux.Errno) {
	a, ok := parseAttrs(b)
	if !ok {
		return nil, linux.EINVAL
	}
	for _, x := range []uint16{elemTimeout, elemExpr, elemKeyEnd, elemExpressions} {
		if _, has := a[x]; has {
			return nil, linux.EOPNOTSUPP
		}
	}
	k, ok := parseAttrs(a[elemKey])
	if !ok || len(k[dataValue]) != int(s.keyLen) {
		return nil, linux.EINVAL
	}
	e := &element{key: bytes.Clone(k[dataValue]), userdata: bytes.Clone(a[elemUserdata])}
	flags, _ := a.u32(elemFlags)
	e.end = flags&elemIntervalEnd != 0
	if flags&^elemIntervalEnd != 0 || e.end && s.flags&setInterval == 0 {
		return nil, linux.EOPNOTSUPP
	}
	data, has := a[elemData]
	if has != (s.flags&setMap != 0 && !e.end) {
		return nil, linux.EINVAL
	}
	if !has {
		return e, 0
	}
	d, ok := parseAttrs(data)
	if !ok {
		return nil, linux.EINVAL
	}
	if s.dataType == verdictType {
		im, errno := newVerdict(d[dataVerdict])
		if errno != 0 {
			return nil, errno
		}
		e.verdict, e.code, e.chain = true, im.code, im.chain
		return e, 0
	}
	if e.data = bytes.Clone(d[dataValue]); len(e.data) == 0 || len(e.data) > regsSize {
		return nil, linux.EINVAL
	}
	return e, 0
}

func (b *Batch) newElems(m Message, a attrs) (errno linux.Errno) {
	t, s, errno := b.setOfElems(m, a)
	if errno != 0 {
		return errno
	}
	have := make(map[string]*element, len(s.elems))
	for _, e := range s.elems {
		have[elemID(e)] = e
	}
	room := maxObjects - b.s.objects()
	ok := each(a[elemsList], func(_ uint16, data []byte) bool {
		var e *element
		if e, errno = s.readElem(data); errno != 0 {
			return false
		}
		if e.verdict && (e.code == vJump || e.code == vGoto) {
			// As of a rule: the chain must be there, and lead no further, for its depth is not followed through maps.
			c := t.chain(e.chain)
			if c == nil {
				errno = linux.ENOENT
				return false
			}
			if c.base {
				errno = linux.EOPNOTSUPP
				return false
			}
		}
		if old := have[elemID(e)]; old != nil {
			if m.Flags&linux.NLM_F_EXCL != 0 || !bytes.Equal(old.data, e.data) || old.code != e.code || old.chain != e.chain {
				errno = linux.EEXIST
				return false
			}
			return true
		}
		if room--; room < 0 {
			errno = linux.ENOMEM
			return false
		}
		have[elemID(e)] = e
		s.elems = append(s.elems, e)
		return true
	})
	if errno == 0 && !ok {
		errno = linux.EINVAL
	}
	return errno
}

func elemID(e *element) string { return string(e.key) + map[bool]string{true: "e"}[e.end] }

func (b *Batch) delElems(m Message, a attrs) (errno linux.Errno) {
	_, s, errno := b.setOfElems(m, a)
	if errno != 0 {
		return errno
	}
	list, has := a[elemsList]
	if !has {
		s.elems = nil
		return 0
	}
	ok := each(list, func(_ uint16, data []byte) bool {
		d, sound := parseAttrs(data)
		k, sound2 := parseAttrs(d[elemKey])
		flags, _ := d.u32(elemFlags)
		if !sound || !sound2 {
			errno = linux.EINVAL
			return false
		}
		want := elemID(&element{key: k[dataValue], end: flags&elemIntervalEnd != 0})
		i := slices.IndexFunc(s.elems, func(e *element) bool { return elemID(e) == want })
		if i < 0 {
			errno = linux.ENOENT
			return false
		}
		s.elems = slices.Delete(s.elems, i, i+1)
		return true
	})
	if errno == 0 && !ok {
		errno = linux.EINVAL
	}
	return errno
}
