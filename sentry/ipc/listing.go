package ipc

import (
	"bytes"
	"encoding/binary"

	"cordon/internal/linux"
)

// A Listed is an object as /proc/sysvipc lists it.
type Listed[T any] struct {
	ID   int32
	Stat T
	// Resident is how much memory a segment has, as far as it is known.
	Resident uint64
}

// ID is the identifier.
func (p *perm) ID() int32 { return p.id }

// Segments lists the segments of ns for c.
func (ns *Namespace) Segments(c *Caller) (all []Listed[linux.ShmidDS]) {
	if ns.host != nil {
		return hostList[linux.ShmidDS](ns.host, c, HostShmctl, linux.SHM_INFO, linux.SHM_STAT_ANY)
	}
	for _, s := range ns.Shm.All() {
		all = append(all, Listed[linux.ShmidDS]{s.id, s.Stat(), ns.memory.Resident(s.pages)})
	}
	return all
}

// Sets lists the semaphore sets of ns for c.
func (ns *Namespace) Sets(c *Caller) (all []Listed[linux.SemidDS]) {
	if ns.host != nil {
		return hostList[linux.SemidDS](ns.host, c, HostSemctl, linux.SEM_INFO, linux.SEM_STAT_ANY)
	}
	for _, s := range ns.Sem.All() {
		all = append(all, Listed[linux.SemidDS]{ID: s.id, Stat: s.Stat()})
	}
	return all
}

// Queues lists the System V message queues of ns for c.
func (ns *Namespace) Queues(c *Caller) (all []Listed[linux.MsqidDS]) {
	if ns.host != nil {
		return hostList[linux.MsqidDS](ns.host, c, HostMsgctl, linux.MSG_INFO, linux.MSG_STAT_ANY)
	}
	for _, q := range ns.Msg.All() {
		all = append(all, Listed[linux.MsqidDS]{ID: q.id, Stat: q.Stat()})
	}
	return all
}

// hostList asks the host for all of a kind: info tells the highest index, stat each.
func hostList[T any](h *Host, c *Caller, op HostOp, info, stat linux.IPCCmd) (all []Listed[T]) {
	const most = 128 // bytes that either fills, at most
	highest, _, err := h.Call(c, op, [4]int64{0, 0, int64(info)}, nil, most)
	if err != nil {
		return nil
	}
	for i := range min(highest+1, maxObjects) {
		id, d, err := h.Call(c, op, [4]int64{i, 0, int64(stat)}, nil, most)
		if err != nil {
			continue
		}
		o := Listed[T]{ID: int32(id)}
		if binary.Read(bytes.NewReader(d), binary.LittleEndian, &o.Stat) == nil {
			all = append(all, o)
		}
	}
	return all
}
