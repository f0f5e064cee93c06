package socket

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Support says how much of an option works, for the tables in docs.
type Support uint8

const (
	// None: ENOPROTOOPT, as Linux without the feature.
	None Support = iota
	// Partial: see the note.
	Partial
	// Full: it does what Linux does.
	Full
)

// An OptionCall is one getsockopt(2) or setsockopt(2).
type OptionCall struct {
	Caller *vfs.Caller
	Opt    int32
	Value  []byte // to set
	Size   int    // room for Out
	Out    []byte
}

// Int reads the value as an int: EINVAL when it is shorter.
func (c *OptionCall) Int() (int, error) {
	if len(c.Value) < 4 {
		return 0, linux.EINVAL
	}
	return int(int32(binary.LittleEndian.Uint32(c.Value))), nil
}

// Flag reads the value as a switch.
func (c *OptionCall) Flag() (bool, error) {
	v, err := c.Int()
	return v != 0, err
}

// ByteOrInt reads a value that some levels take as a byte too.
func (c *OptionCall) ByteOrInt() (int, error) {
	if len(c.Value) > 0 && len(c.Value) < 4 {
		return int(c.Value[0]), nil
	}
	return c.Int()
}

// Put answers with bytes, as many as there is room for.
func (c *OptionCall) Put(b []byte) error {
	c.Out = b[:min(len(b), c.Size)]
	return nil
}

// PutInt answers with an int.
func (c *OptionCall) PutInt(v int) error {
	return c.Put(binary.LittleEndian.AppendUint32(nil, uint32(v)))
}

// PutFlag answers with 0 or 1.
func (c *OptionCall) PutFlag(v bool) error {
	if v {
		return c.PutInt(1)
	}
	return c.PutInt(0)
}

// A Row is one option of sockets of type S. A missing Get or Set is ENOPROTOOPT.
type Row[S any] struct {
	Level linux.SockLevel
	Opt   int32
	Name  string
	Get   func(S, *OptionCall) error
	Set   func(S, *OptionCall) error
	Support
	Note string
}

// A Table finds rows. It does not change.
type Table[S any] struct {
	rows []Row[S]
	at   map[[2]int32]int
}

// NewTable returns a table of rows; of two with one number the first counts.
func NewTable[S any](rows ...[]Row[S]) *Table[S] {
	t := &Table[S]{at: make(map[[2]int32]int)}
	for _, rs := range rows {
		for _, r := range rs {
			k := [2]int32{int32(r.Level), r.Opt}
			if _, ok := t.at[k]; !ok {
				t.at[k] = len(t.rows)
				t.rows = append(t.rows, r)
			}
		}
	}
	return t
}

func (t *Table[S]) find(level linux.SockLevel, opt int32) *Row[S] {
	if i, ok := t.at[[2]int32{int32(level), opt}]; ok {
		return &t.rows[i]
	}
	return nil
}

// Get runs a getsockopt; found is false when the table has no such option.
func (t *Table[S]) Get(s S, level linux.SockLevel, c *OptionCall) (found bool, err error) {
	r := t.find(level, c.Opt)
	if r == nil {
		return false, linux.ENOPROTOOPT
	}
	if r.Get == nil {
		return true, linux.ENOPROTOOPT
	}
	return true, r.Get(s, c)
}

// Set runs a setsockopt.
func (t *Table[S]) Set(s S, level linux.SockLevel, c *OptionCall) (found bool, err error) {
	r := t.find(level, c.Opt)
	if r == nil {
		return false, linux.ENOPROTOOPT
	}
	if r.Set == nil {
		return true, linux.ENOPROTOOPT
	}
	return true, r.Set(s, c)
}

// GetOrCommon runs a getsockopt of the table, or else of the options that all
// sockets have; b is s's.
func (t *Table[S]) GetOrCommon(s S, b *Base, level linux.SockLevel, c *OptionCall) ([]byte, error) {
	found, err := t.Get(s, level, c)
	if !found {
		_, err = Common.Get(b, level, c)
	}
	return c.Out, err
}

// SetOrCommon is GetOrCommon for setsockopt.
func (t *Table[S]) SetOrCommon(s S, b *Base, level linux.SockLevel, c *OptionCall) error {
	found, err := t.Set(s, level, c)
	if !found {
		_, err = Common.Set(b, level, c)
	}
	return err
}
