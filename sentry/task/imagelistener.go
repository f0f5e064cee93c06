package task

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

// ListenerImage is a Listener in a checkpoint. Its users count themselves.
type ListenerImage struct {
	Killable, Closed bool
	LastID           uint64
	Calls            []NotificationImage
}

// NotificationImage is a notification in a checkpoint.
type NotificationImage struct {
	Task   checkpoint.Ref
	ID     uint64
	Data   linux.SeccompData
	State  uint8
	Answer linux.SeccompNotifResp
}

func saveListener(s *checkpoint.Saver, l *Listener) ListenerImage {
	l.mu.Lock()
	defer l.mu.Unlock()
	im := ListenerImage{Killable: l.killable, Closed: l.closed, LastID: l.lastID}
	for _, n := range l.calls {
		im.Calls = append(im.Calls, NotificationImage{s.Ref(n.task), n.id, n.data, uint8(n.state), n.answer})
	}
	return im
}

func loadListener(ld *checkpoint.Loader, l *Listener, im ListenerImage) error {
	g := &getter{l: ld}
	l.killable, l.closed, l.lastID = im.Killable, im.Closed, im.LastID
	for _, c := range im.Calls {
		n := &notification{listener: l, task: get[*Task](g, c.Task), id: c.ID, data: c.Data, state: notifyState(c.State), answer: c.Answer}
		if n.task == nil || n.state > notifyAnswered || n.task.notified != nil {
			return cmp.Or(g.err, errImage)
		}
		n.task.notified = n
		l.calls = append(l.calls, n)
	}
	return g.err
}

// goOnAsking goes on with a restored task's call that waits for a listener.
func (t *Task) goOnAsking() {
	for i, a := range t.notified.data.Args {
		t.args[i] = uintptr(a)
	}
	t.call.Store(uint64(t.callNumber) + 1)
	if t.awaitAnswer() {
		ret, err := t.sys.Calls.Call(t, t.callNumber, &t.args)
		t.finishCall(ret, err)
	}
	if t.traced() {
		t.leaveTraced()
	}
}
