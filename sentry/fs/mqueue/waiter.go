package mqueue

import "sync/atomic"

// A Waiter is one who stands in a queue, to send or to receive.
type Waiter struct {
	// Wake is called when the wait is over; no lock is held.
	Wake func()
	// Priority is the scheduler's: the lowest goes first.
	Priority int32

	message Message // guarded by the queue's mu until done
	done    atomic.Bool
}

// Done reports whether the message has been sent or received.
func (w *Waiter) Done() bool { return w.done.Load() }

// Message is what a receiver has got.
func (w *Waiter) Message() Message { return w.message }

func (w *Waiter) rouse() {
	wake := w.Wake
	w.done.Store(true)
	wake()
}

// A line is those who wait, who goes first in front.
type line []*Waiter

func (l *line) add(w *Waiter) {
	at := len(*l)
	for at > 0 && (*l)[at-1].Priority > w.Priority {
		at--
	}
	*l = append(*l, nil)
	copy((*l)[at+1:], (*l)[at:])
	(*l)[at] = w
}

// first takes out who goes first, nil for nobody.
func (l *line) first() *Waiter {
	if len(*l) == 0 {
		return nil
	}
	w := (*l)[0]
	(*l)[0] = nil
	*l = (*l)[1:]
	return w
}

func (l *line) remove(w *Waiter) bool {
	for i, o := range *l {
		if o == w {
			*l = append((*l)[:i], (*l)[i+1:]...)
			return true
		}
	}
	return false
}

// Leave takes w out of the queue; false when its wait is over already.
func (q *Queue) Leave(w *Waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.senders.remove(w) || q.receivers.remove(w)
}
