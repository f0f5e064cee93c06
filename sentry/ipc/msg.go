package ipc

import (
	"cordon/internal/linux"
	"cordon/sentry/wait"
)

// A MsgQueue is a queue of messages.
type MsgQueue struct {
	// immutable
	perm
	ns    *Namespace
	queue wait.Queue

	// guarded by perm.mu
	messages     []message
	bytes, limit uint64 // of all messages
	stime, rtime int64
	lspid, lrpid int32
}

type message struct {
	kind int64
	data []byte
}

// MsgGet is msgget(2).
func (ns *Namespace) MsgGet(c *Caller, key int32, flags linux.IPCFlags) (int32, error) {
	return ns.Msg.get(c, key, flags, func(*MsgQueue) error { return nil }, func() (*MsgQueue, error) {
		return &MsgQueue{ns: ns, limit: min(ns.Limit(MsgMNB), maxQueueBytes)}, nil
	})
}

// MsgFind returns queue id for sending (want 0222) or receiving (0444).
func (ns *Namespace) MsgFind(c *Caller, id int32, want linux.FileMode) (*MsgQueue, error) {
	q, err := ns.Msg.find(id)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q, q.checkLocked(c, want)
}

// Queue is notified of Out when there may be room and of In when there is a
// message, and of both when the queue is removed.
func (q *MsgQueue) Queue() *wait.Queue { return &q.queue }

// Send appends a message, which the queue keeps. EAGAIN: there is no room.
func (q *MsgQueue) Send(c *Caller, kind int64, data []byte) error {
	if kind < 1 || uint64(len(data)) > q.ns.MessageMax() {
		return linux.EINVAL
	}
	q.mu.Lock()
	if q.removed {
		q.mu.Unlock()
		return linux.EIDRM
	}
	if q.bytes+uint64(len(data)) > q.limit || uint64(len(q.messages))+1 > q.limit {
		q.mu.Unlock()
		return linux.EAGAIN
	}
	q.messages = append(q.messages, message{kind, data})
	q.bytes += uint64(len(data))
	q.stime, q.lspid = c.Now, c.PID
	q.mu.Unlock()
	q.queue.Notify(wait.In)
	return nil
}

// Receive takes the message that kind and flags choose (msgrcv(2)) if it is at
// most size bytes or MSG_NOERROR is set. ENOMSG: there is none. With MSG_COPY
// kind is an index, and the message stays.
func (q *MsgQueue) Receive(c *Caller, size uint64, kind int64, flags linux.MsgrcvFlags) (gotKind int64, data []byte, err error) {
	q.mu.Lock()
	if q.removed {
		q.mu.Unlock()
		return 0, nil, linux.EIDRM
	}
	i := q.chooseLocked(kind, flags)
	if i < 0 {
		q.mu.Unlock()
		return 0, nil, linux.ENOMSG
	}
	m := q.messages[i]
	if uint64(len(m.data)) > size && flags&linux.MSG_NOERROR == 0 {
		q.mu.Unlock()
		return 0, nil, linux.E2BIG
	}
	data = m.data[:min(uint64(len(m.data)), size)]
	if flags&linux.MSG_COPY != 0 {
		q.mu.Unlock()
		return m.kind, data, nil
	}
	q.messages = append(q.messages[:i], q.messages[i+1:]...)
	q.bytes -= uint64(len(m.data))
	q.rtime, q.lrpid = c.Now, c.PID
	q.mu.Unlock()
	q.queue.Notify(wait.Out)
	return m.kind, data, nil
}

func (q *MsgQueue) chooseLocked(kind int64, flags linux.MsgrcvFlags) int {
	if flags&linux.MSG_COPY != 0 {
		if kind >= 0 && kind < int64(len(q.messages)) {
			return int(kind)
		}
		return -1
	}
	best := -1
	for i, m := range q.messages {
		switch {
		case kind == 0:
			return i
		case kind > 0 && (m.kind == kind) != (flags&linux.MSG_EXCEPT != 0):
			return i
		case kind < 0 && (kind == -1<<63 || m.kind <= -kind) && (best < 0 || m.kind < q.messages[best].kind):
			best = i
		}
	}
	return best
}

// MsgStat is IPC_STAT, MSG_STAT and, with any, MSG_STAT_ANY.
func (ns *Namespace) MsgStat(c *Caller, id int32, any bool) (linux.MsqidDS, error) {
	q, err := ns.Msg.find(id)
	if err != nil {
		return linux.MsqidDS{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !any {
		if err := q.checkLocked(c, 0o444); err != nil {
			return linux.MsqidDS{}, err
		}
	}
	return q.statLocked(), nil
}

// Stat is what IPC_STAT shows, for /proc/sysvipc/msg.
func (q *MsgQueue) Stat() linux.MsqidDS {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.statLocked()
}

func (q *MsgQueue) statLocked() linux.MsqidDS {
	return linux.MsqidDS{
		Perm: q.imageLocked(), Stime: q.stime, Rtime: q.rtime, Ctime: q.ctime, Cbytes: q.bytes,
		Qnum: uint64(len(q.messages)), Qbytes: q.limit, LSPID: q.lspid, LRPID: q.lrpid,
	}
}

// MsgSet is IPC_SET: permissions and the limit of bytes.
func (ns *Namespace) MsgSet(c *Caller, id int32, to *linux.IPCPerm, limit uint64) error {
	q, err := ns.Msg.find(id)
	if err != nil {
		return err
	}
	q.mu.Lock()
	if err := q.ownerLocked(c); err != nil {
		q.mu.Unlock()
		return err
	}
	if limit > ns.Limit(MsgMNB) && !c.Cred.HasRoot(linux.CAP_SYS_RESOURCE) {
		q.mu.Unlock()
		return linux.EPERM
	}
	q.setLocked(c, to)
	q.limit = min(limit, maxQueueBytes)
	q.mu.Unlock()
	q.queue.Notify(wait.Out)
	return nil
}

// maxQueueBytes bounds a queue whatever the privileged ask for.
const maxQueueBytes = 64 << 20

// MsgRemove is IPC_RMID.
func (ns *Namespace) MsgRemove(c *Caller, id int32) error {
	q, err := ns.Msg.find(id)
	if err != nil {
		return err
	}
	q.mu.Lock()
	if err := q.ownerLocked(c); err != nil {
		q.mu.Unlock()
		return err
	}
	if q.removed {
		q.mu.Unlock()
		return linux.EIDRM
	}
	q.removed, q.messages = true, nil
	q.mu.Unlock()
	ns.Msg.drop(q)
	q.queue.Notify(wait.In | wait.Out)
	return nil
}

// MsgTotals is what MSG_INFO adds up.
func (ns *Namespace) MsgTotals() (messages, bytes uint64) {
	for _, q := range ns.Msg.All() {
		d := q.Stat()
		messages += d.Qnum
		bytes += d.Cbytes
	}
	return messages, bytes
}
