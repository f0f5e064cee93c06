package socket

import (
	"bytes"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

type nullFile struct{}

func (nullFile) Release() {}

// someFiles knows the descriptors below 4 and counts what it has given out.
type someFiles struct{ d *vfs.Description }

func (f someFiles) Get(fd linux.FD) *vfs.Description {
	if fd < 0 || fd > 3 {
		return nil
	}
	f.d.IncRef()
	return f.d
}

func control(level linux.SockLevel, typ int32, data ...byte) []byte {
	b := appendHeader(nil, linux.CmsgHdrSize+len(data), level, typ)
	return pad(append(b, data...), len(b)+len(data), 1<<20)
}

func FuzzControl(f *testing.F) {
	rights := control(linux.SOL_SOCKET, int32(linux.SCM_RIGHTS), 1, 0, 0, 0, 2, 0, 0, 0)
	creds := control(linux.SOL_SOCKET, int32(linux.SCM_CREDENTIALS), make([]byte, 12)...)
	f.Add(rights, uint16(100), true)
	f.Add(append(rights[:len(rights):len(rights)], creds...), uint16(30), true)
	f.Add(control(linux.SOL_IP, int32(linux.IP_TTL), 1, 0, 0, 0), uint16(10), false)
	f.Add([]byte{16, 0, 0, 0, 0, 0, 0, 0}, uint16(0), true)
	f.Fuzz(func(t *testing.T, b []byte, room uint16, unix bool) {
		d := vfs.NewDescription(nil, vfs.Path{}, nullFile{}, linux.O_RDWR)
		family := linux.AF_INET
		if unix {
			family = linux.AF_UNIX
		}
		before := bytes.Clone(b)
		c, err := ParseControl(b, family, someFiles{d})
		if !bytes.Equal(b, before) {
			t.Error("the guest's bytes were changed")
		}
		if err != nil {
			if d.References() != 1 {
				t.Errorf("%d references after %v", d.References(), err)
			}
			return
		}
		if c == nil {
			return
		}
		if d.References() != int64(1+len(c.Rights)) || len(c.Rights) > linux.SCM_MAX_FD {
			t.Errorf("%d references for %d descriptors", d.References(), len(c.Rights))
		}
		r := Received{Rights: c.Rights, Messages: c.Other}
		var flags linux.MsgFlags
		installed := 0
		out := r.Build(int(room), &flags, func(d *vfs.Description, _ linux.FDFlags) (linux.FD, error) {
			installed++
			d.DecRef()
			return 7, nil
		})
		if len(out) > int(room) || d.References() != 1 {
			t.Errorf("%d bytes for a room of %d; %d references left, %d were installed", len(out), room, d.References(), installed)
		}
	})
}
