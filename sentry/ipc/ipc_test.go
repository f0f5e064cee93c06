package ipc

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
	"cordon/sentry/wait"
)

// memory hands out offsets and counts what is given back.
type memory struct{ next, back uint64 }

func (m *memory) HostFile() platform.HostFile             { return platform.HostFile{} }
func (m *memory) IncRef(memmap.Range)                     {}
func (m *memory) DecRef(r memmap.Range)                   { m.back += r.Len() }
func (m *memory) Window(memmap.Range) []byte              { return nil }
func (m *memory) ReadAt([]byte, uint64) (int, error)      { return 0, nil }
func (m *memory) WriteAt(p []byte, _ uint64) (int, error) { return len(p), nil }
func (m *memory) Resident(r memmap.Range) uint64          { return r.Len() }

func (m *memory) Alloc(n uint64) (memmap.Range, linux.Errno) {
	m.next += n
	return memmap.Range{Start: m.next - n, End: m.next}, 0
}

func caller(uid uint32, pid int32) *Caller {
	c := &cred.Credentials{RUID: uid, EUID: uid, EGID: uid, UserNS: cred.NewRootNamespace()}
	if uid == 0 {
		c = cred.Root(c.UserNS, cred.AllCaps)
	}
	return &Caller{Cred: c, PID: pid, Now: 1000 + int64(pid)}
}

func TestTable(t *testing.T) {
	ns, a, b := New(&memory{}), caller(1, 10), caller(2, 20)
	id, err := ns.MsgGet(a, 5, linux.IPC_CREAT|0o640)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what  string
		c     *Caller
		key   int32
		flags linux.IPCFlags
		err   error
	}{
		{"again", a, 5, 0o600, nil},
		{"exclusively", a, 5, linux.IPC_CREAT | linux.IPC_EXCL, linux.EEXIST},
		{"another's", b, 5, 0o400, linux.EACCES},
		{"another's, by root", caller(0, 1), 5, 0o600, nil},
		{"of nothing", a, 6, 0o600, linux.ENOENT},
		{"private", a, linux.IPC_PRIVATE, 0, nil},
	} {
		got, err := ns.MsgGet(tt.c, tt.key, tt.flags)
		if err != tt.err || err == nil && (got == id) != (tt.key == 5) {
			t.Errorf("get %s: %d, %v; want %v", tt.what, got, err, tt.err)
		}
	}
	if err := ns.MsgRemove(b, id); err != linux.EPERM {
		t.Errorf("removal by another: %v", err)
	}
	if err := ns.MsgRemove(a, id); err != nil {
		t.Error(err)
	}
	if _, err := ns.MsgFind(a, id, 0); err != linux.EINVAL {
		t.Errorf("a removed queue: %v", err)
	}
	seen := map[int32]bool{}
	for range 1000 {
		id, _ := ns.MsgGet(a, 5, linux.IPC_CREAT)
		if seen[id] {
			t.Fatalf("identifier %d is used again", id)
		}
		seen[id] = true
		ns.MsgRemove(a, id)
	}
}

func TestSegments(t *testing.T) {
	m := &memory{}
	ns, a := New(m), caller(1, 10)
	if _, err := ns.ShmGet(a, 7, 0, linux.IPC_CREAT); err != linux.EINVAL {
		t.Errorf("size 0: %v", err)
	}
	id, err := ns.ShmGet(a, 7, 5000, linux.IPC_CREAT|0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ns.ShmGet(a, 7, 5001, 0); err != linux.EINVAL {
		t.Errorf("a larger size: %v", err)
	}
	if _, err := ns.ShmAttach(caller(2, 1), id, 0o666); err != linux.EACCES {
		t.Errorf("attach by another: %v", err)
	}
	s, err := ns.ShmAttach(a, id, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	s.IncRef() // the memory manager's
	s.Detach()
	s.IncRef() // a fork
	if d, _ := ns.ShmStat(a, id, false); d.Nattch != 2 || d.Segsz != 5000 || d.LPID != 10 || d.Atime != 1010 {
		t.Errorf("stat %+v", d)
	}
	r := memmap.Range{Start: 4096, End: 8192}
	if ts, err := s.Translate(r, memmap.Range{Start: 0, End: 1 << 20}, true); err != nil || ts[0].Source != (memmap.Range{Start: 0, End: 8192}) || !ts[0].Writable {
		t.Errorf("Translate = %+v, %v", ts, err)
	}
	if _, err := s.Translate(memmap.Range{Start: 8192, End: 12288}, memmap.Range{Start: 8192, End: 12288}, true); err != linux.EFAULT {
		t.Errorf("beyond the end: %v", err)
	}
	if name, _ := s.MapName(); name != "/SYSV00000007" {
		t.Errorf("name %q", name)
	}
	ns.ShmRemove(a, id)
	if _, err := ns.ShmGet(a, 7, 1, 0); err != linux.ENOENT {
		t.Errorf("the key of a removed segment: %v", err)
	}
	if d, err := ns.ShmStat(a, id, false); err != nil || d.Perm.Mode&linux.SHM_DEST == 0 {
		t.Errorf("stat of a removed segment: %v, %+v", err, d)
	}
	s.DecRef()
	if m.back != 0 {
		t.Error("pages went while mapped")
	}
	s.DecRef()
	if m.back != 8192 {
		t.Errorf("%d bytes were given back", m.back)
	}
	if _, err := ns.ShmStat(a, id, false); err != linux.EINVAL {
		t.Errorf("stat at the end: %v", err)
	}
}

func sem(num uint16, op, flags int16) linux.Sembuf { return linux.Sembuf{Num: num, Op: op, Flg: flags} }

func do(ns *Namespace, c *Caller, id int32, undo *Undo, ops ...linux.Sembuf) error {
	o, err := ns.NewSemOp(c, id, ops, undo)
	if err != nil {
		return err
	}
	defer o.End()
	return o.Try()
}

func TestSemaphores(t *testing.T) {
	ns, a := New(&memory{}), caller(1, 10)
	id, err := ns.SemGet(a, 3, 2, linux.IPC_CREAT|0o600)
	if err != nil {
		t.Fatal(err)
	}
	values := func(want ...uint16) {
		t.Helper()
		if got, _ := ns.SemValues(a, id); !reflect.DeepEqual(got, want) {
			t.Errorf("values %v, want %v", got, want)
		}
	}
	if err := do(ns, a, id, nil, sem(0, 3, 0), sem(1, 1, 0)); err != nil {
		t.Error(err)
	}
	values(3, 1)
	if err := do(ns, a, id, nil, sem(0, -2, 0), sem(1, -2, 0)); err != linux.EAGAIN {
		t.Errorf("too much: %v", err)
	}
	values(3, 1)
	for _, tt := range []struct {
		ops  []linux.Sembuf
		want error
	}{
		{nil, linux.EINVAL}, {[]linux.Sembuf{sem(2, 1, 0)}, linux.EFBIG},
		{make([]linux.Sembuf, 501), linux.E2BIG}, {[]linux.Sembuf{sem(0, 32767, 0)}, linux.ERANGE},
	} {
		if err := do(ns, a, id, nil, tt.ops...); err != tt.want {
			t.Errorf("%d operations: %v, want %v", len(tt.ops), err, tt.want)
		}
	}
	w, _ := ns.NewSemOp(a, id, []linux.Sembuf{sem(1, -5, 0)}, nil)
	z, _ := ns.NewSemOp(a, id, []linux.Sembuf{sem(1, 0, 0)}, nil)
	woken := 0
	w.Queue().Add(&wait.Entry{Mask: wait.Internal, Callback: func(*wait.Entry, wait.Events) { woken++ }})
	w.Try()
	z.Try()
	if n, _ := ns.SemValue(a, id, 1, linux.GETNCNT); n != 1 {
		t.Errorf("GETNCNT = %d", n)
	}
	if n, _ := ns.SemValue(a, id, 1, linux.GETZCNT); n != 1 {
		t.Errorf("GETZCNT = %d", n)
	}
	ns.SemSetValue(a, id, 1, 6)
	if woken == 0 || w.Try() != nil {
		t.Error("a waiter was not served")
	}
	values(3, 1)
	if n, _ := ns.SemValue(a, id, 1, linux.GETNCNT); n != 0 {
		t.Errorf("GETNCNT = %d", n)
	}
	ns.SemRemove(a, id)
	if err := z.Try(); err != linux.EIDRM {
		t.Errorf("after removal: %v", err)
	}
}

func TestUndo(t *testing.T) {
	ns, a, b := New(&memory{}), caller(1, 10), caller(1, 11)
	id, _ := ns.SemGet(a, 3, 2, linux.IPC_CREAT|0o600)
	ns.SemSetValue(a, id, 0, 5)
	u, v := NewUndo(), NewUndo()
	do(ns, a, id, u, sem(0, -2, linux.SEM_UNDO), sem(1, 4, linux.SEM_UNDO))
	do(ns, b, id, v, sem(0, -1, linux.SEM_UNDO))
	if err := do(ns, a, id, u, sem(0, -1, linux.SEM_UNDO), sem(1, -9, linux.SEM_UNDO)); err != linux.EAGAIN {
		t.Errorf("too much: %v", err)
	}
	names := []*Undo{nil, u, v}
	im := ns.Image(func(x *Undo) checkpoint.Ref { return checkpoint.Ref(slices.Index(names, x)) })
	u2, v2 := NewUndo(), NewUndo()
	names = []*Undo{nil, u2, v2}
	r, err := Restore(&memory{}, &im, func(n checkpoint.Ref) (*Undo, error) { return names[n], nil })
	if err != nil {
		t.Fatal(err)
	}
	u2.DecRef(a)
	v2.DecRef(b)
	if got, _ := r.SemValues(a, id); !reflect.DeepEqual(got, []uint16{5, 0}) {
		t.Errorf("values %v after the ends in a restored namespace", got)
	}
	u.IncRef()
	u.DecRef(a)
	if got, _ := ns.SemValues(a, id); !reflect.DeepEqual(got, []uint16{2, 4}) {
		t.Errorf("values %v", got)
	}
	u.DecRef(a)
	if got, _ := ns.SemValues(a, id); !reflect.DeepEqual(got, []uint16{4, 0}) {
		t.Errorf("values %v after the end of one", got)
	}
	ns.SemSetValue(a, id, 0, 9)
	v.DecRef(b)
	if got, _ := ns.SemValues(a, id); !reflect.DeepEqual(got, []uint16{9, 0}) {
		t.Errorf("SETVAL did not forget adjustments: %v", got)
	}
}

// TestUndoRestores: whatever was done with SEM_UNDO, the ends of all processes
// bring every semaphore back to its first value.
func TestUndoRestores(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	ns, a := New(&memory{}), caller(1, 10)
	id, _ := ns.SemGet(a, 3, 4, linux.IPC_CREAT|0o600)
	ns.SemSetValues(a, id, func(n int) ([]uint16, error) { return []uint16{100, 200, 300, 400}, nil })
	undos := []*Undo{NewUndo(), NewUndo(), NewUndo()}
	for range 1000 {
		var ops []linux.Sembuf
		for range 1 + rnd.IntN(3) {
			ops = append(ops, sem(uint16(rnd.IntN(4)), int16(rnd.IntN(41)-20), linux.SEM_UNDO))
		}
		do(ns, a, id, undos[rnd.IntN(3)], ops...)
	}
	// Values may pass zero on the way, where an adjustment would be cut off.
	total := []int32{0, 0, 0, 0}
	for _, u := range undos {
		if adj := u.sets[0].undos[u]; adj != nil {
			for k, v := range adj.by {
				total[k] += int32(v)
			}
		}
	}
	vs, _ := ns.SemValues(a, id)
	for k, want := range []int32{100, 200, 300, 400} {
		if got := int32(vs[k]) + total[k]; got != want {
			t.Errorf("seed %d: semaphore %d would return to %d, want %d", seed, k, got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	ns, a := New(&memory{}), caller(1, 10)
	id, _ := ns.MsgGet(a, 3, linux.IPC_CREAT|0o600)
	q, err := ns.MsgFind(a, id, 0o222)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		kind int64
		text string
	}{{3, "c"}, {1, "a"}, {2, "bb"}, {1, "aa"}, {5, "e"}} {
		if err := q.Send(a, m.kind, []byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		kind  int64
		size  uint64
		flags linux.MsgrcvFlags
		want  string
		err   error
	}{
		{0, 0, 0, "", linux.E2BIG}, {2, linux.MSGMAX, linux.MSG_COPY, "bb", nil}, {0, 9, 0, "c", nil}, {-2, 9, 0, "a", nil},
		{1, 9, linux.MSG_EXCEPT, "bb", nil}, {1, 1, linux.MSG_NOERROR, "a", nil}, {4, 9, 0, "", linux.ENOMSG},
		{-4, 9, 0, "", linux.ENOMSG}, {5, 9, 0, "e", nil}, {0, 9, 0, "", linux.ENOMSG},
	} {
		_, b, err := q.Receive(a, tt.size, tt.kind, tt.flags)
		if string(b) != tt.want || err != tt.err {
			t.Errorf("receive %d %v: %q, %v; want %q, %v", tt.kind, tt.flags, b, err, tt.want, tt.err)
		}
	}
	if err := q.Send(a, 0, nil); err != linux.EINVAL {
		t.Errorf("kind 0: %v", err)
	}
	for range 2 {
		q.Send(a, 1, make([]byte, linux.MSGMAX))
	}
	if err := q.Send(a, 1, make([]byte, 1)); err != linux.EAGAIN {
		t.Errorf("full queue: %v", err)
	}
	var got wait.Events
	q.Queue().Add(&wait.Entry{Mask: wait.In | wait.Out, Callback: func(_ *wait.Entry, ev wait.Events) { got |= ev }})
	q.Receive(a, linux.MSGMAX, 0, 0)
	if got != wait.Out {
		t.Errorf("notified %#x", got)
	}
	if err := ns.MsgSet(a, id, &linux.IPCPerm{UID: 1, Mode: 0o600}, linux.MSGMNB+1); err != linux.EPERM {
		t.Errorf("a larger limit: %v", err)
	}
	im := ns.Image(nil)
	r, err := Restore(&memory{}, &im, nil)
	if err != nil || !reflect.DeepEqual(r.Image(nil), im) {
		t.Errorf("image does not survive: %v", err)
	}
	ns.MsgRemove(a, id)
	if err := q.Send(a, 1, nil); err != linux.EIDRM {
		t.Errorf("after removal: %v", err)
	}
}

func TestSegmentsGoWithTheirMaker(t *testing.T) {
	ns := New(&memory{})
	maker := caller(1, 10)
	maker.Maker = 77
	make := func() int32 {
		id, err := ns.ShmGet(maker, linux.IPC_PRIVATE, 4096, linux.IPC_CREAT|0o600)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	there := func(id int32) bool {
		_, err := ns.ShmStat(maker, id, false)
		return err == nil
	}
	orphan := make()
	ns.ShmLeft(77)
	if !there(orphan) {
		t.Error("a segment goes with its maker though nobody asked for it")
	}
	fresh := make()
	ns.SetShmRmidForced(true)
	if there(orphan) || !there(fresh) {
		t.Errorf("when it is asked for, the one without a maker is there: %v, the other: %v", there(orphan), there(fresh))
	}
	used, err := ns.ShmAttach(maker, fresh, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ns.ShmLeft(78)
	ns.ShmLeft(77)
	if !there(fresh) {
		t.Error("a segment that is attached goes with its maker")
	}
	used.Detach()
	if there(fresh) {
		t.Error("a segment survives its last attachment")
	}
	never := make()
	ns.ShmLeft(77)
	if there(never) {
		t.Error("a segment that was never attached survives its maker")
	}
}
