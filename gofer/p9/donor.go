package p9

import (
	"sync/atomic"

	"cordon/gofer/donate"
)

// A Donor sends descriptors to the other end, each under a token that the
// reply to the open names in IoUnit.
type Donor struct {
	conn *donate.Conn // immutable
	last atomic.Uint32
}

// NewDonor returns a donor on the side channel c.
func NewDonor(c *donate.Conn) *Donor { return &Donor{conn: c} }

// Donate sends fd, which stays the caller's, and returns its token, or 0 when
// it could not be sent: then the file is read and written over 9P.
func (d *Donor) Donate(fd int) uint32 {
	token := d.last.Add(1)
	if token == 0 {
		token = d.last.Add(1)
	}
	m := donate.Reply{Tag: token, Op: donate.OpDonation}
	if d.conn.Send(m.Append(nil), fd) != 0 {
		return 0
	}
	return token
}
