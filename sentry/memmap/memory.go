package memmap

import (
	"cordon/platform"
	"cordon/platform/memfile"
)

// Memory is the memory file as a Backing. Two of one file are equal.
type Memory struct{ File *memfile.File }

var _ Backing = Memory{}

// HostFile implements Backing.
func (m Memory) HostFile() platform.HostFile {
	return platform.HostFile{ID: m.File.ID(), FD: m.File.FD()}
}

// IncRef implements Backing.
func (m Memory) IncRef(r Range) { m.File.IncRef(memfile.Range(r)) }

// DecRef implements Backing.
func (m Memory) DecRef(r Range) { m.File.DecRef(memfile.Range(r)) }

// Window implements Backing.
func (m Memory) Window(r Range) []byte { return m.File.Window(memfile.Range(r)) }

// ReadAt implements Backing.
func (m Memory) ReadAt(p []byte, off uint64) (int, error) { return m.File.ReadAt(p, off), nil }

// WriteAt implements Backing.
func (m Memory) WriteAt(p []byte, off uint64) (int, error) { return m.File.WriteAt(p, off), nil }
