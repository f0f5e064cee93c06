package mqueue

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/ipc"
	"cordon/sentry/vfs"
)

func newFS(t *testing.T, limit uint64) (*FS, *vfs.Caller) {
	t.Helper()
	now := int64(0)
	v := vfs.New(func() int64 { now += 1e9; return now }, nil)
	user := cred.NewRootNamespace()
	fs := New(v, &Users{}, ipc.New(nil))
	return fs, &vfs.Caller{Cred: cred.Root(user, 0), Job: job{limit: limit}}
}

// job is a process with a limit of bytes of queues.
type job struct {
	vfs.Job
	limit uint64
}

func (j job) SoftLimit(linux.Resource) uint64 { return j.limit }

func open(t *testing.T, fs *FS, c *vfs.Caller, name string, messages, each int64) *Queue {
	t.Helper()
	d, err := fs.Open(c, name, linux.O_RDWR|linux.O_CREAT, 0o600, &linux.MqAttr{Maxmsg: messages, Msgsize: each})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.DecRef)
	return d.File().(*File).Of()
}

// A queue gives the oldest of the highest priority, as a sorted list does.
func TestQueueOrdersAsASortedList(t *testing.T) {
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	fs, c := newFS(t, 1<<30)
	q := open(t, fs, c, "q", 10, 64)
	var model []Message
	for i := range 5000 {
		if r.Intn(2) == 0 {
			m := Message{fmt.Appendf(nil, "%d", i), uint32(r.Intn(4))}
			err := q.Send(nil, m, nil)
			if full := len(model) == 10; full != (err == linux.EAGAIN) {
				t.Fatalf("step %d: send into %d messages: %v", i, len(model), err)
			}
			if err == nil {
				at := slices.IndexFunc(model, func(o Message) bool { return o.Priority < m.Priority })
				if at < 0 {
					at = len(model)
				}
				model = slices.Insert(model, at, m)
			}
			continue
		}
		m, err := q.Receive(nil)
		if len(model) == 0 {
			if err != linux.EAGAIN {
				t.Fatalf("step %d: an empty queue gave %v, %v", i, m, err)
			}
			continue
		}
		if err != nil || string(m.Data) != string(model[0].Data) || m.Priority != model[0].Priority {
			t.Fatalf("step %d: received %v, %v, want %v", i, m, err, model[0])
		}
		model = model[1:]
	}
}

func TestWaitersGoByPriorityThenByTime(t *testing.T) {
	fs, c := newFS(t, 1<<30)
	q := open(t, fs, c, "q", 1, 8)
	var woken []string
	stand := func(name string, priority int32) *Waiter {
		w := &Waiter{Priority: priority}
		w.Wake = func() { woken = append(woken, name+" "+string(w.Message().Data)) }
		if _, err := q.Receive(w); err != linux.EAGAIN {
			t.Fatal(err)
		}
		return w
	}
	stand("first", 120)
	left := stand("left", 100)
	stand("second", 120)
	stand("urgent", 110)
	if !q.Leave(left) || q.Leave(left) {
		t.Fatal("a waiter leaves once")
	}
	for i := range 3 {
		if err := q.Send(nil, Message{Data: fmt.Appendf(nil, "%d", i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"urgent 0", "first 1", "second 2"}; !slices.Equal(woken, want) || q.Count() != 0 {
		t.Fatalf("woken %q, %d messages left, want %q", woken, q.Count(), want)
	}
}

func TestQueuesCountForTheirUserUntilTheyGo(t *testing.T) {
	const one = 2*(8+messageCost) + 2*priorityCost
	fs, c := newFS(t, 2*one)
	attr := &linux.MqAttr{Maxmsg: 2, Msgsize: 8}
	make := func(name string) (*vfs.Description, error) {
		return fs.Open(c, name, linux.O_RDWR|linux.O_CREAT, 0o600, attr)
	}
	a, err := make("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := make("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := make("c"); err != linux.EMFILE {
		t.Fatalf("a third queue: %v", err)
	}
	b.DecRef()
	if _, err := make("c"); err != linux.EMFILE {
		t.Fatalf("a third queue after a close: %v", err)
	}
	if err := fs.Unlink(c, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := make("c"); err != linux.EMFILE {
		t.Fatalf("a third queue, one without a name: %v", err)
	}
	a.DecRef()
	d, err := make("c")
	if err != nil {
		t.Fatalf("a queue after another has gone: %v", err)
	}
	// As in Linux an open queue keeps those beside it at the namespace's end.
	fs.ns.DecRef()
	if got := fs.users.bytes[0]; got != 2*one {
		t.Errorf("%d bytes counted after the namespace's end, want %d", got, 2*one)
	}
	d.DecRef()
	if len(fs.users.bytes) != 0 {
		t.Errorf("%v counted after all have gone", fs.users.bytes)
	}
	if _, err := make("d"); err != linux.EACCES {
		t.Errorf("a queue of a namespace that has ended: %v", err)
	}
}
