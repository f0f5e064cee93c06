package mqueue

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// What Linux's structures take for each message that a queue may have, and for each
// priority: both count for the user.
const (
	messageCost  = 48
	priorityCost = 48
	statusSize   = 80 // of a queue's file, whatever it says
)

const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

// A Queue is a message queue and its inode.
type Queue struct {
	attrs

	// immutable
	user      uint32 // whom bytes count for
	bytes     uint64
	max, each uint64 // messages, and bytes of one

	// guarded by fs.mu
	number int64 // of its name

	queue wait.Queue

	// guarded by attrs.mu
	size               uint64 // what stat(2) says
	named, gone        bool
	levels             []level // by priority, the lowest first; none is empty
	count, used        uint64  // messages, and their bytes
	senders, receivers line
	told               *registration // nil: nobody
}

// A level is the messages of one priority, the oldest first.
type level struct {
	priority uint32
	messages [][]byte
}

// A Message is what mq_receive(2) gives.
type Message struct {
	Data     []byte
	Priority uint32
}

// newQueue makes an inode for a queue as m asks, and counts it (Linux:
// ipc/mqueue.c mqueue_get_inode).
func (fs *FS) newQueue(ino uint64, n *vfs.NewInode, m *made) (*Queue, error) {
	limit := fs.ns.Limit
	q := &Queue{
		attrs: newAttrs(fs, ino, n.Mode, n.UID, n.GID), size: statusSize, named: true,
		max:  min(limit(ipc.MQMsgMax), limit(ipc.MQMsgDefault)),
		each: min(limit(ipc.MQMsgSizeMax), limit(ipc.MQMsgSizeDefault)),
	}
	if a := m.attr; a != nil {
		most, longest := limit(ipc.MQMsgMax), limit(ipc.MQMsgSizeMax)
		if m.privileged() {
			most, longest = linux.HARD_MSGMAX, linux.HARD_MSGSIZEMAX
		}
		if a.Maxmsg <= 0 || a.Msgsize <= 0 || uint64(a.Maxmsg) > most || uint64(a.Msgsize) > longest {
			return nil, linux.EINVAL
		}
		q.max, q.each = uint64(a.Maxmsg), uint64(a.Msgsize)
	}
	q.bytes = q.max*(q.each+messageCost) + min(q.max, linux.MQ_PRIO_MAX)*priorityCost
	room := ^uint64(0)
	if m.by != nil {
		q.user = m.by.Cred.RUID
		if l, ok := m.by.Job.(Limited); ok {
			room = l.SoftLimit(linux.RLIMIT_MSGQUEUE)
		}
	}
	if !fs.users.take(q.user, q.bytes, room) {
		return nil, linux.EMFILE
	}
	return q, nil
}

// Kind implements vfs.Kinded.
func (*Queue) Kind() linux.FileMode { return linux.S_IFREG }

// Attr implements vfs.Inode.
func (q *Queue) Attr() (vfs.Attr, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.attrLocked()
	a.Size = q.size
	if q.named {
		a.Nlink = 1
	}
	return a, nil
}

// SetAttr implements vfs.Inode. As in Linux a queue's size can be set, and says
// nothing.
func (q *Queue) SetAttr(set *vfs.SetAttr) error {
	q.set(set)
	if set.Mask&vfs.SetSize != 0 {
		q.mu.Lock()
		q.size = set.Size
		q.mu.Unlock()
	}
	return nil
}

// Open implements vfs.Inode.
func (q *Queue) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) { return &File{q}, nil }

// unnamed takes the name off.
func (q *Queue) unnamed() {
	now := q.fs.now()
	q.mu.Lock()
	q.named, q.ctime = false, now
	q.mu.Unlock()
}

// Evict implements vfs.Evicter.
func (q *Queue) Evict() {
	q.mu.Lock()
	if q.named || q.gone {
		q.mu.Unlock()
		return
	}
	q.gone, q.levels = true, nil
	q.mu.Unlock()
	q.fs.users.give(q.user, q.bytes)
	q.fs.mu.Lock()
	q.fs.queues--
	q.fs.mu.Unlock()
}

// Limits returns how many messages fit, and how long one may be.
func (q *Queue) Limits() (messages, each uint64) { return q.max, q.each }

// Count returns how many messages there are.
func (q *Queue) Count() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// Looked notes that the flags of a descriptor were changed.
func (q *Queue) Looked() { q.touch() }

// touch notes a use that changes no message.
func (q *Queue) touch() {
	now := q.fs.now()
	q.mu.Lock()
	q.atime, q.ctime = now, now
	q.mu.Unlock()
}

// Send puts m into the queue, or hands it to who waits for one. The queue keeps it.
// EAGAIN: there is no room; w, if it is not nil, then stands in the queue. by is
// the sender, for who asked to be told.
func (q *Queue) Send(by vfs.Job, m Message, w *Waiter) error {
	now := q.fs.now()
	q.mu.Lock()
	if q.count == q.max {
		if w != nil {
			w.message = m
			q.senders.add(w)
		}
		q.mu.Unlock()
		return linux.EAGAIN
	}
	q.atime, q.mtime, q.ctime = now, now, now
	if to := q.receivers.first(); to != nil {
		to.message = m
		q.mu.Unlock()
		to.rouse()
		return nil
	}
	q.putLocked(m)
	var told *registration
	if q.count == 1 {
		told, q.told = q.told, nil
	}
	q.mu.Unlock()
	if told != nil {
		told.fire(by)
	}
	q.queue.Notify(readable)
	return nil
}

// Receive takes the oldest message of the highest priority. EAGAIN: there is none;
// w, if it is not nil, then stands in the queue.
func (q *Queue) Receive(w *Waiter) (Message, error) {
	now := q.fs.now()
	q.mu.Lock()
	if q.count == 0 {
		if w != nil {
			q.receivers.add(w)
		}
		q.mu.Unlock()
		return Message{}, linux.EAGAIN
	}
	q.atime, q.ctime = now, now
	m := q.takeLocked()
	from := q.senders.first()
	if from != nil {
		q.putLocked(from.message)
	}
	q.mu.Unlock()
	if from != nil {
		from.rouse()
	} else {
		q.queue.Notify(writable)
	}
	return m, nil
}

func (q *Queue) putLocked(m Message) {
	i, there := slices.BinarySearchFunc(q.levels, m.Priority, func(l level, p uint32) int { return int(l.priority) - int(p) })
	if !there {
		q.levels = slices.Insert(q.levels, i, level{priority: m.Priority})
	}
	q.levels[i].messages = append(q.levels[i].messages, m.Data)
	q.count++
	q.used += uint64(len(m.Data))
}

func (q *Queue) takeLocked() Message {
	top := &q.levels[len(q.levels)-1]
	m := Message{top.messages[0], top.priority}
	top.messages[0] = nil
	if top.messages = top.messages[1:]; len(top.messages) == 0 {
		*top = level{}
		q.levels = q.levels[:len(q.levels)-1]
	}
	q.count--
	q.used -= uint64(len(m.Data))
	return m
}

// Readiness implements vfs.Poller, for the queue's Files.
func (q *Queue) readiness(mask wait.Events) wait.Events {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ev wait.Events
	if q.count > 0 {
		ev |= readable
	}
	if q.count < q.max {
		ev |= writable
	}
	return ev & mask
}
