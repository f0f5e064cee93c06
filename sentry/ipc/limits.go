package ipc

import (
	"math"
	"sync/atomic"

	"cordon/internal/linux"
)

// A Limit names one limit of a namespace, as its sysctl does.
type Limit int

// The limits. kernel.sem is four of them, in order from SemMSL on.
const (
	MsgMax Limit = iota
	MsgMNB
	MsgMNI
	SemMSL
	SemMNS
	SemOPM
	SemMNI
	ShmMax
	ShmAll
	ShmMNI
	MQQueuesMax
	MQMsgMax
	MQMsgSizeMax
	MQMsgDefault
	MQMsgSizeDefault
	numLimits
)

// defaultLimits are Linux's, and what stands between the others is what each may be
// set to.
var (
	defaultLimits = [numLimits]uint64{
		MsgMax: linux.MSGMAX, MsgMNB: linux.MSGMNB, MsgMNI: linux.MSGMNI,
		SemMSL: linux.SEMMSL, SemMNS: linux.SEMMNS, SemOPM: linux.SEMOPM, SemMNI: linux.SEMMNI,
		ShmMax: linux.SHMMAX, ShmAll: linux.SHMALL, ShmMNI: linux.SHMMNI,
		MQQueuesMax: linux.DFLT_QUEUESMAX, MQMsgMax: linux.DFLT_MSGMAX, MQMsgSizeMax: linux.DFLT_MSGSIZEMAX,
		MQMsgDefault: linux.DFLT_MSG, MQMsgSizeDefault: linux.DFLT_MSGSIZE,
	}
	largestLimits = [numLimits]uint64{
		MsgMax: math.MaxInt32, MsgMNB: math.MaxInt32, MsgMNI: maxObjects,
		SemMSL: math.MaxInt32, SemMNS: math.MaxInt32, SemOPM: math.MaxInt32, SemMNI: maxObjects,
		ShmMax: math.MaxUint64, ShmAll: math.MaxUint64, ShmMNI: maxObjects,
		MQQueuesMax: math.MaxUint32, MQMsgMax: linux.HARD_MSGMAX, MQMsgSizeMax: linux.HARD_MSGSIZEMAX,
		MQMsgDefault: linux.HARD_MSGMAX, MQMsgSizeDefault: linux.HARD_MSGSIZEMAX,
	}
	smallestLimits = [numLimits]uint64{
		MQMsgMax: linux.MIN_MSGMAX, MQMsgSizeMax: linux.MIN_MSGSIZEMAX, MQMsgDefault: linux.MIN_MSGMAX, MQMsgSizeDefault: linux.MIN_MSGSIZEMAX,
	}
)

// limits are a namespace's limits.
type limits struct {
	// atomic
	values [numLimits]atomic.Uint64
}

func (l *limits) reset() {
	for i, v := range defaultLimits {
		l.values[i].Store(v)
	}
}

// What a set or a message may have at most, whatever the limits say: both are the
// Sentry's memory.
const (
	maxSems    = linux.SEMMSL
	maxMessage = 1 << 20
	maxOps     = 1 << 14
)

// Limit returns a limit.
func (ns *Namespace) Limit(l Limit) uint64 { return ns.limits.values[l].Load() }

// SetLimit changes a limit: EINVAL for a value that it cannot have.
func (ns *Namespace) SetLimit(l Limit, v uint64) linux.Errno {
	if v > largestLimits[l] || v < smallestLimits[l] {
		return linux.EINVAL
	}
	ns.limits.values[l].Store(v)
	return 0
}

// OpsMax is how many operations semop(2) takes at once.
func (ns *Namespace) OpsMax() uint64 { return min(ns.Limit(SemOPM), maxOps) }

// MessageMax is how long a message may be.
func (ns *Namespace) MessageMax() uint64 { return min(ns.Limit(MsgMax), maxMessage) }

// semsLocked is the number of semaphores in all sets.
func (ns *Namespace) semsLocked() (n uint64) {
	ns.Sem.mu.AssertHeld()
	for _, s := range ns.Sem.byIndex {
		n += uint64(len(s.sems))
	}
	return n
}

// pagesLocked is the number of pages in all segments.
func (ns *Namespace) pagesLocked() (n uint64) {
	ns.Shm.mu.AssertHeld()
	for _, s := range ns.Shm.byIndex {
		n += s.pages.Len() / linux.PageSize
	}
	return n
}

// image returns the limits for a checkpoint, and restore sets them.
func (l *limits) image() (v []uint64) {
	for i := range l.values {
		v = append(v, l.values[i].Load())
	}
	return v
}

func (ns *Namespace) restoreLimits(v []uint64) {
	for i, n := range v {
		if i < int(numLimits) {
			ns.SetLimit(Limit(i), n)
		}
	}
}
