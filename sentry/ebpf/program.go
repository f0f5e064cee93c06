package ebpf

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// MaxInsns is how many instructions a program may have (in Linux those of unprivileged users), maxPrograms how many there are.
const (
	MaxInsns    = 4096
	maxPrograms = 1024
)

// A Program is one that has been checked.
type Program struct {
	// immutable
	all    *Programs
	kind   linux.BPFProgType
	id     uint32
	ins    []linux.BPFInsn
	name   [linux.BPF_OBJ_NAME_LEN]byte
	gpl    bool
	loaded int64 // nanoseconds since boot
	uid    uint32

	// atomic
	refs atomic.Int32 // descriptions and control groups; that of 0 has no number
}

// Programs are those of a sandbox.
type Programs struct {
	mu lock.Mutex[lock.Programs]
	// guarded by mu
	lastID uint32
	byID   map[uint32]*Program
}

// A Source is what a program is made of.
type Source struct {
	Type   linux.BPFProgType
	Insns  []byte // struct bpf_insn
	Name   [linux.BPF_OBJ_NAME_LEN]byte
	GPL    bool
	Loaded int64  // nanoseconds since boot
	UID    uint32 // who loads it
}

// Load checks a program and returns it with one reference, and what is to be said about it. E2BIG: it is empty or too
// long; ENOMEM: there are too many; EINVAL: there is no such type; EINVAL and EACCES with a text: it says why.
func (a *Programs) Load(s *Source) (*Program, string, linux.Errno) {
	p := &Program{all: a, kind: s.Type, ins: parse(s.Insns), name: s.Name, gpl: s.GPL, loaded: s.Loaded, uid: s.UID}
	switch {
	case len(p.ins) == 0 || len(p.ins) > MaxInsns:
		return nil, "", linux.E2BIG
	case p.kind != linux.BPF_PROG_TYPE_CGROUP_DEVICE && p.kind != linux.BPF_PROG_TYPE_CGROUP_SKB:
		return nil, "", linux.EINVAL
	}
	if r := verify(p.kind, p.ins); r != nil {
		return nil, r.text + "\n", r.errno
	}
	p.refs.Store(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.byID) >= maxPrograms {
		return nil, "", linux.ENOMEM
	}
	a.lastID++
	p.id = a.lastID
	a.addLocked(p)
	return p, fmt.Sprintf("processed %d insns\n", len(p.ins)), 0
}

func (a *Programs) addLocked(p *Program) {
	if a.byID == nil {
		a.byID = make(map[uint32]*Program)
	}
	a.byID[p.id] = p
}

// Get returns the program with a number and a reference to it, or nil.
func (a *Programs) Get(id uint32) *Program {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.byID[id]
	if p != nil {
		p.refs.Add(1)
	}
	return p
}

// Next returns the number of the first program after another number, 0 if there is none.
func (a *Programs) Next(after uint32) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var next uint32
	for id := range a.byID {
		if id > after && (next == 0 || id < next) {
			next = id
		}
	}
	return next
}

// IncRef keeps the program's number. The caller has a reference.
func (p *Program) IncRef() { p.refs.Add(1) }

// DecRef gives a reference back.
func (p *Program) DecRef() {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if p.refs.Add(-1) == 0 {
		delete(p.all.byID, p.id)
	}
}

// Release implements vfs.File: each description has a reference.
func (p *Program) Release() { p.DecRef() }

// ID is the program's number, which no later one gets.
func (p *Program) ID() uint32 { return p.id }

// Type is what it is for.
func (p *Program) Type() linux.BPFProgType { return p.kind }

// Tag is what programs of the same instructions have in common: the beginning of their hash (Linux: bpf_prog_calc_tag).
func (p *Program) Tag() (t [linux.BPF_TAG_SIZE]byte) {
	sum := sha256.Sum256(p.Insns())
	copy(t[:], sum[:])
	return t
}

// Info is what BPF_OBJ_GET_INFO_BY_FD tells, but for the instructions.
func (p *Program) Info() linux.BPFProgInfo {
	i := linux.BPFProgInfo{
		Type: p.kind, ID: p.id, Tag: p.Tag(), XlatedLen: uint32(len(p.ins) * InsnSize),
		LoadTime: uint64(p.loaded), CreatedByUID: p.uid, Name: p.name, VerifiedInsns: uint32(len(p.ins)),
	}
	if p.gpl {
		i.GPL = 1
	}
	return i
}

// FDInfo implements procfs.FDInfoer (Linux: bpf_prog_show_fdinfo).
func (p *Program) FDInfo() string {
	return fmt.Sprintf("prog_type:\t%d\nprog_jited:\t0\nprog_tag:\t%x\nmemlock:\t4096\nprog_id:\t%d\n"+
		"run_time_ns:\t0\nrun_cnt:\t0\nrecursion_misses:\t0\nverified_insns:\t%d\n",
		p.kind, p.Tag(), p.id, len(p.ins))
}
