package boot

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Descriptors of the boot process that have fixed numbers; sandbox's enter.c
// has the same.
const (
	// FDReady is the write end of the pipe for the Report.
	FDReady = 3
	// FDSpec is the sealed memory file with the Spec.
	FDSpec = 4
	// FDMemFile becomes the memory file.
	FDMemFile = 5
)

// A Report is what the boot process says on FDReady: that the sandbox stands
// (no Message), or why it does not.
type Report struct {
	Kind    ErrorKind `json:"kind,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Err returns the report as an error: a *StartError, or nil.
func (r *Report) Err() error {
	if r.Message == "" {
		return nil
	}
	return &StartError{Kind: r.Kind, Message: r.Message}
}

func reportOf(err error) Report {
	if err == nil {
		return Report{}
	}
	var start *StartError
	if errors.As(err, &start) {
		return Report{Kind: start.Kind, Message: start.Message}
	}
	return Report{Kind: ErrOther, Message: err.Error()}
}

func (r Report) send(fd int) {
	data, err := json.Marshal(r)
	if err == nil {
		// A parent that is gone is noticed on the lifeline.
		unix.Write(fd, data)
	}
	unix.Close(fd)
}

// Encode returns the spec as the boot process reads it.
func (s *Spec) Encode() ([]byte, error) { return json.Marshal(s) }

// maxSpec bounds the spec's size; arguments and environment are the bulk.
const maxSpec = 32 << 20

func readSpec(fd int) (*Spec, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	if st.Size > maxSpec {
		return nil, fmt.Errorf("the spec has %d bytes", st.Size)
	}
	data := make([]byte, st.Size)
	for off := 0; off < len(data); {
		n, err := unix.Pread(fd, data[off:], int64(off))
		if err != nil || n == 0 {
			return nil, fmt.Errorf("reading the spec: %d of %d bytes, %v", off, len(data), err)
		}
		off += n
	}
	unix.Close(fd)
	var s Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("decoding the spec: %w", err)
	}
	if s.Version != SpecVersion {
		return nil, fmt.Errorf("the spec has version %d, not %d: was the binary replaced?", s.Version, SpecVersion)
	}
	return &s, nil
}
