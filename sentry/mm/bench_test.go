package mm

import (
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
)

// nothing is a platform whose mappings cost nothing.
type nothing struct{ fakePlatform }

func (*nothing) NewAddressSpace() (platform.AddressSpace, linux.Errno) { return &nothing{}, 0 }
func (*nothing) Apply(platform.Context, []platform.Op) linux.Errno     { return 0 }

func benchSpace(b *testing.B) *MemoryManager {
	m := New(Config{Platform: &nothing{}, Memory: newMemory(b), Limits: noLimits()})
	if _, err := m.Activate(); err != nil {
		b.Fatal(err)
	}
	for range 50 {
		mustMap(b, m, anonymous(3*pageSize, linux.PROT_READ))
		mustMap(b, m, anonymous(2*pageSize, rw))
	}
	b.ReportAllocs()
	return m
}

func BenchmarkMapTouchUnmap(b *testing.B) {
	m := benchSpace(b)
	for b.Loop() {
		at := mustMap(b, m, anonymous(pageSize, rw))
		m.CopyOut(at, []byte{1})
		m.MUnmap(nil, at, pageSize)
	}
}

func BenchmarkCopyIn8(b *testing.B) {
	m := benchSpace(b)
	at := mustMap(b, m, anonymous(pageSize, rw))
	var buf [8]byte
	for b.Loop() {
		m.CopyIn(at, buf[:])
	}
}

func BenchmarkCopyOut4K(b *testing.B) {
	m := benchSpace(b)
	at := mustMap(b, m, anonymous(2*pageSize, rw))
	buf := make([]byte, 4096)
	for b.Loop() {
		m.CopyOut(at+100, buf)
	}
}

func BenchmarkBlocks(b *testing.B) {
	m := benchSpace(b)
	at := mustMap(b, m, anonymous(2*pageSize, rw))
	for b.Loop() {
		m.Blocks(at, pageSize, 2, func(blocks [][]byte) (uint64, error) { return uint64(len(blocks[0])), nil })
	}
}

func BenchmarkFork(b *testing.B) {
	m := benchSpace(b)
	for b.Loop() {
		fork(b, m).DecUsers()
	}
}

func BenchmarkForkStore(b *testing.B) {
	m := benchSpace(b)
	at := mustMap(b, m, anonymous(64*pageSize, rw))
	for i := range uint64(64) {
		m.CopyOut(at+i*pageSize, []byte{1})
	}
	for b.Loop() {
		child := fork(b, m)
		m.CopyOut(at, []byte{1})
		child.CopyOut(at+32*pageSize, []byte{1})
		child.DecUsers()
		m.HandleFault(nil, at+50*pageSize, platform.Write, linux.SIGSEGV)
	}
}

func BenchmarkProtect(b *testing.B) {
	m := benchSpace(b)
	at := mustMap(b, m, anonymous(64*pageSize, rw))
	for b.Loop() {
		m.MProtect(nil, at+pageSize, pageSize, linux.PROT_READ)
		m.MProtect(nil, at+pageSize, pageSize, rw)
	}
}
