package socket

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// AddTimestamp adds SO_TIMESTAMP's or SO_TIMESTAMPNS's message.
func AddTimestamp(b *Base, r *Received, ns int64) {
	switch {
	case b.Has(TimestampNS):
		ts := linux.TimespecFromNS(ns)
		d := binary.LittleEndian.AppendUint64(nil, uint64(ts.Sec))
		r.Add(linux.SOL_SOCKET, int32(linux.SCM_TIMESTAMPNS), binary.LittleEndian.AppendUint64(d, uint64(ts.Nsec)))
	case b.Has(TimestampUS):
		tv := linux.TimevalFromNS(ns)
		d := binary.LittleEndian.AppendUint64(nil, uint64(tv.Sec))
		r.Add(linux.SOL_SOCKET, int32(linux.SCM_TIMESTAMP), binary.LittleEndian.AppendUint64(d, uint64(tv.Usec)))
	}
}
