package loader

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/cred"
)

// maxStringLen bounds one argument (Linux: MAX_ARG_STRLEN).
const maxStringLen = 32 * pageSize

// stack is the top of the first stack while it is filled downwards.
type stack struct{ sp uint64 }

type auxEntry struct {
	key   linux.AuxType
	value uint64
}

// auxv returns the auxiliary vector without the entries that point into the
// stack (getauxval(3)).
func (b *builder) auxv(p *program, bias, interpBase, vdso uint64, c *cred.Credentials, secure bool) []auxEntry {
	flag := uint64(0)
	if secure {
		flag = 1
	}
	ns := c.UserNS
	return []auxEntry{
		{linux.AUX_SYSINFO_EHDR, vdso},
		{linux.AUX_MINSIGSTKSZ, arch.MinSigStackSize()},
		{linux.AUX_HWCAP, arch.HWCap()},
		{linux.AUX_PAGESZ, pageSize},
		{linux.AUX_CLKTCK, 100},
		{linux.AUX_PHDR, p.phdrAddr(bias)},
		{linux.AUX_PHENT, phdrSize},
		{linux.AUX_PHNUM, uint64(p.phnum)},
		{linux.AUX_BASE, interpBase},
		{linux.AUX_FLAGS, 0},
		{linux.AUX_ENTRY, p.entry + bias},
		{linux.AUX_UID, uint64(ns.FromRootUID(c.RUID))},
		{linux.AUX_EUID, uint64(ns.FromRootUID(c.EUID))},
		{linux.AUX_GID, uint64(ns.FromRootGID(c.RGID))},
		{linux.AUX_EGID, uint64(ns.FromRootGID(c.EGID))},
		{linux.AUX_SECURE, flag},
		{linux.AUX_HWCAP2, arch.HWCap2()},
	}
}

// buildStack maps the stack and writes arguments, environment and auxiliary
// vector onto it (System V ABI, AMD64, 3.4.1). It returns the stack pointer.
func (b *builder) buildStack(p *program, aux []auxEntry) (uint64, error) {
	prot := linux.PROT_READ | linux.PROT_WRITE
	if p.hasStk && p.stackX {
		prot |= linux.PROT_EXEC
	}
	if err := b.checkSize(); err != nil {
		return 0, err
	}
	top, err := b.m.MapStack(nil, prot)
	if err != nil {
		return 0, err
	}
	s := &stackWriter{b: b, sp: top - 8}
	execfn := s.str(b.args.Path)
	b.layout.EnvEnd = s.sp
	envs := s.strs(b.args.Envv)
	b.layout.EnvStart, b.layout.ArgEnd = s.sp, s.sp
	argv := s.strs(b.argv)
	b.layout.ArgStart = s.sp
	platform := s.str("x86_64")
	var seed [16]byte
	b.t.System().Random(seed[:])
	random := s.bytes(seed[:])
	aux = append(aux,
		auxEntry{linux.AUX_RANDOM, random},
		auxEntry{linux.AUX_EXECFN, execfn},
		auxEntry{linux.AUX_PLATFORM, platform},
		auxEntry{linux.AUX_RSEQ_FEATURE_SIZE, 28},
		auxEntry{linux.AUX_RSEQ_ALIGN, 32},
		auxEntry{linux.AUX_NULL, 0})
	words := make([]uint64, 0, 1+len(argv)+1+len(envs)+1+2*len(aux))
	words = append(words, uint64(len(argv)))
	words = append(append(words, argv...), 0)
	words = append(append(words, envs...), 0)
	for _, a := range aux {
		words = append(words, uint64(a.key), a.value)
		b.layout.Auxv = append(b.layout.Auxv, uint64(a.key), a.value)
	}
	raw := make([]byte, 0, 8*len(words))
	for _, w := range words {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	sp := (s.sp - uint64(len(raw))) &^ 15
	s.writeAt(sp, raw)
	b.layout.StartStack = sp
	return sp, s.err
}

// checkSize refuses more strings than execve(2) takes: a quarter of the stack
// limit, at least 128 KiB, at most 6 MiB, pointers included.
func (b *builder) checkSize() error {
	limit := b.t.Group().Limits().Soft(linux.RLIMIT_STACK) / 4
	limit = max(min(limit, 6<<20), 32*pageSize)
	total := uint64(len(b.args.Path))
	for _, list := range [2][]string{b.argv, b.args.Envv} {
		for _, s := range list {
			if len(s) >= maxStringLen {
				return linux.E2BIG
			}
			total += uint64(len(s)) + 9
		}
	}
	if total > limit {
		return linux.E2BIG
	}
	return nil
}

// A stackWriter writes below sp. After an error it does nothing.
type stackWriter struct {
	b   *builder
	sp  uint64
	err error
}

func (s *stackWriter) bytes(p []byte) uint64 {
	s.sp = (s.sp - uint64(len(p))) &^ 15
	s.writeAt(s.sp, p)
	return s.sp
}

func (s *stackWriter) str(v string) uint64 {
	s.sp -= uint64(len(v)) + 1
	s.writeAt(s.sp, append([]byte(v), 0))
	return s.sp
}

// strs writes strings so that they lie in memory in their order, which
// /proc/pid/cmdline relies on.
func (s *stackWriter) strs(list []string) []uint64 {
	total := 0
	for _, v := range list {
		total += len(v) + 1
	}
	buf := make([]byte, 0, total)
	s.sp -= uint64(total)
	addrs := make([]uint64, len(list))
	for i, v := range list {
		addrs[i] = s.sp + uint64(len(buf))
		buf = append(append(buf, v...), 0)
	}
	s.writeAt(s.sp, buf)
	return addrs
}

func (s *stackWriter) writeAt(addr uint64, p []byte) {
	if s.err != nil {
		return
	}
	if n, err := s.b.m.CopyOut(addr, p); err != nil || n != len(p) {
		s.err = linux.E2BIG
	}
}
