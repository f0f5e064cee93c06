// Package platformtest is the suite that every platform passes. It drives the
// platform with small machine-code guests and no Sentry.
package platformtest

import (
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Where the guests' memory lies, in their address space and in its file.
const (
	page = 4096

	codeAddr = 0x400000
	codeLen  = 16 * page
	dataAddr = 0x600000
	dataOff  = codeLen
	dataLen  = 16 * page
	freeAddr = 0x800000
	fileLen  = dataOff + dataLen

	read  = linux.PROT_READ
	write = linux.PROT_READ | linux.PROT_WRITE
	exec  = linux.PROT_READ | linux.PROT_EXEC
)

// A machine is a platform with one file for memory.
type machine struct {
	testing.TB
	p    platform.Platform
	file platform.HostFile
}

func newMachine(t testing.TB, p platform.Platform) *machine {
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, fileLen); err != nil {
		t.Fatal(err)
	}
	m := &machine{t, p, platform.HostFile{ID: nextID(), FD: int32(fd)}}
	t.Cleanup(func() {
		p.ForgetFile(m.file)
		unix.Close(fd)
	})
	return m
}

// nextID returns a file id that no other machine of the process has.
var nextID = func() func() uint64 {
	var mu sync.Mutex
	id := uint64(1 << 40)
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		id++
		return id
	}
}()

// load writes code at the start of the code area.
func (m *machine) load(code ...byte) {
	if _, err := unix.Pwrite(int(m.file.FD), code, 0); err != nil {
		m.Fatal(err)
	}
}

// poke and peek access the file behind the guest's back.
func (m *machine) poke(off int64, b ...byte) {
	if _, err := unix.Pwrite(int(m.file.FD), b, off); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) peek(off int64) byte {
	var b [1]byte
	if _, err := unix.Pread(int(m.file.FD), b[:], off); err != nil {
		m.Fatal(err)
	}
	return b[0]
}

func (m *machine) mapOp(addr, off, n uint64, prot linux.Prot) platform.Op {
	return platform.Op{Kind: platform.OpMap, Addr: addr, Len: n, Offset: off, Prot: prot, File: m.file}
}

// space returns an address space with code and data mapped.
func (m *machine) space() platform.AddressSpace {
	as, errno := m.p.NewAddressSpace()
	if errno != 0 {
		m.Fatal("no address space: ", errno)
	}
	m.apply(as, nil, m.mapOp(codeAddr, 0, codeLen, exec), m.mapOp(dataAddr, dataOff, dataLen, write))
	return as
}

func (m *machine) apply(as platform.AddressSpace, c platform.Context, ops ...platform.Op) {
	m.Helper()
	if errno := as.Apply(c, ops); errno != 0 {
		m.Errorf("Apply: %v", errno)
	}
}

// regs returns registers that start at offset off of the code.
func regs(off uint64) *arch.Registers {
	r := arch.InitialRegisters(codeAddr+off, dataAddr+dataLen)
	return &r
}

// expect fails the test unless ev is of the kind.
func (m *machine) expect(ev platform.Event, kind platform.EventKind, r *arch.Registers) {
	m.Helper()
	if ev.Kind != kind {
		m.Errorf("event %+v, want kind %d; registers %+v", ev, kind, *r)
	}
}

// onThread runs f as the owner of a context: locked to an OS thread that ends
// with it.
func onThread(f func()) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	return done
}

// owner runs f with a fresh context on a thread of its own and waits for it.
func (m *machine) owner(f func(c platform.Context)) {
	m.Helper()
	<-m.start(f)
}

func (m *machine) start(f func(c platform.Context)) chan struct{} {
	return onThread(func() {
		c := m.p.NewContext()
		defer c.Release()
		f(c)
	})
}

// Instructions.
var (
	insSyscall = []byte{0x0f, 0x05}
	insLoad    = []byte{0x48, 0x8b, 0x07}       // mov rax, [rdi]
	insStore   = []byte{0x48, 0x89, 0x07}       // mov [rdi], rax
	insSpin    = []byte{0xeb, 0xfe}             // jmp .
	insCount   = []byte{0x48, 0xff, 0xc3}       // inc rbx
	insCallRDI = []byte{0xff, 0xe7}             // jmp rdi
	insInt3    = []byte{0xcc}                   // int3
	insUD2     = []byte{0x0f, 0x0b}             // ud2
	insDivide  = []byte{0x31, 0xc9, 0xf7, 0xf1} // xor ecx,ecx; div ecx
	insInt80   = []byte{0xcd, 0x80}             // int 0x80
)

func code(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
