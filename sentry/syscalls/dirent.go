package syscalls

import (
	"encoding/binary"

	"cordon/sentry/vfs"
)

// appendDirent64 appends a struct linux_dirent64.
func appendDirent64(b []byte, e *vfs.Dirent) []byte {
	const head = 19
	n := (head + len(e.Name) + 1 + 7) &^ 7
	b = binary.LittleEndian.AppendUint64(b, e.Ino)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Next))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = append(b, e.Type)
	b = append(b, e.Name...)
	return append(b, zeros[:n-head-len(e.Name)]...)
}

// appendDirent appends a struct linux_dirent.
func appendDirent(b []byte, e *vfs.Dirent) []byte {
	const head = 18
	n := (head + len(e.Name) + 2 + 7) &^ 7
	b = binary.LittleEndian.AppendUint64(b, e.Ino)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Next))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = append(b, e.Name...)
	b = append(b, zeros[:n-head-len(e.Name)-1]...)
	return append(b, e.Type)
}

var zeros [16]byte
