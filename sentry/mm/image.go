package mm

import (
	"errors"
	"math/rand/v2"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
	"cordon/sentry/memmap"
)

// The outside things that a restore supplies.
const (
	SlotPlatform = "platform" // platform.Platform
	SlotMemory   = "memory"   // *memfile.File, restored; mm claims its ranges
)

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("mm.MemoryManager", saveSpace, restoreSpace),
		checkpoint.Object("mm.SharedMemory", saveShared, restoreShared),
	}
}

// VMAImage is a VMA in a checkpoint.
type VMAImage struct {
	Start, End uint64
	Prot, May  linux.Prot
	Flags      uint32
	Mappable   checkpoint.Ref
	Off        uint64
	File       checkpoint.Ref
	Name       string
}

// PMAImage is a range of private memory in a checkpoint. Translations of files
// are asked for again.
type PMAImage struct {
	Start, End uint64
	Off        uint64
	Cow        bool
}

// LayoutImage is a Layout in a checkpoint.
type LayoutImage struct {
	StartCode, EndCode uint64
	StartData, EndData uint64
	StartBrk, Brk      uint64
	StartStack         uint64
	ArgStart, ArgEnd   uint64
	EnvStart, EnvEnd   uint64
	Auxv               []uint64
	Exe                checkpoint.Ref
}

// Image is a MemoryManager in a checkpoint.
type Image struct {
	Limits   checkpoint.Ref
	Fixed    bool
	Plain    bool
	Total    uint64
	Platform string
	Memory   string

	Min, Max, MMapBase uint64
	VMAs               []VMAImage
	PMAs               []PMAImage
	Layout             LayoutImage
	LockNew            uint32
	Peak, RSSPeak      uint64
	Users              int64
}

func saveSpace(s *checkpoint.Saver, m *MemoryManager) Image {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	m.active.RLock()
	defer m.active.RUnlock()
	l := &m.layout
	im := Image{
		Limits: s.Ref(m.cfg.Limits), Fixed: m.cfg.Fixed, Plain: m.plain.Load(), Total: m.cfg.TotalMemory,
		Platform: s.Slot(SlotPlatform), Memory: s.Slot(SlotMemory),
		Min: m.min, Max: m.max, MMapBase: m.mmapBase,
		LockNew: uint32(m.lockNew), Peak: m.peak, RSSPeak: m.rssPeak, Users: m.users.Load(),
		Layout: LayoutImage{
			l.StartCode, l.EndCode, l.StartData, l.EndData, l.StartBrk, l.Brk, l.StartStack,
			l.ArgStart, l.ArgEnd, l.EnvStart, l.EnvEnd, l.Auxv, s.Ref(l.Exe),
		},
	}
	for r, v := range m.vmas.All() {
		im.VMAs = append(im.VMAs, VMAImage{
			Start: r.Start, End: r.End, Prot: v.prot, May: v.may, Flags: uint32(v.flags),
			Mappable: s.Ref(v.mappable), Off: v.off, File: s.Ref(v.file), Name: v.name,
		})
	}
	m.hidePatches()
	for r, p := range m.pmas.All() {
		if p.private && !p.hidden {
			im.PMAs = append(im.PMAs, PMAImage{Start: r.Start, End: r.End, Off: p.off, Cow: p.cow})
		}
	}
	return im
}

var errImage = errors.New("an address space that cannot be")

// restoreSpace fills m. Every reference of the image is counted anew: users are
// those that the image had, which take theirs back.
func restoreSpace(l *checkpoint.Loader, m *MemoryManager, im Image) error {
	p, ok1 := slot[platform.Platform](l, im.Platform)
	f, ok2 := slot[*memfile.File](l, im.Memory)
	if !ok1 || !ok2 {
		return errors.New("the platform or the memory file was not supplied")
	}
	limits, err := checkpoint.Get[*limit.Set](l, im.Limits)
	if err != nil {
		return err
	}
	m.plain.Store(im.Plain)
	m.cfg = Config{Platform: p, Memory: f, Limits: limits, Fixed: im.Fixed, TotalMemory: im.Total, Random: rand.Uint64}
	m.setUp()
	if im.Min < m.min || im.Max > m.max || im.MMapBase > im.Max || im.Users <= 0 {
		return errImage
	}
	m.min, m.max, m.mmapBase = im.Min, im.Max, im.MMapBase
	m.lockNew, m.peak, m.rssPeak = vmaFlags(im.LockNew), im.Peak, im.RSSPeak
	m.users.Store(im.Users)
	if err := m.restoreVMAs(l, im.VMAs); err != nil {
		return err
	}
	if err := m.restorePMAs(im.PMAs); err != nil {
		return err
	}
	i := &im.Layout
	exe, err := checkpoint.Get[memmap.File](l, i.Exe)
	if err != nil {
		return err
	}
	m.layout = Layout{
		i.StartCode, i.EndCode, i.StartData, i.EndData, i.StartBrk, i.Brk, i.StartStack,
		i.ArgStart, i.ArgEnd, i.EnvStart, i.EnvEnd, i.Auxv, exe,
	}
	// Files are filled by then. Their references and mappings are counted as
	// they were.
	l.AfterLoad(m.rejoin)
	return nil
}

func slot[T any](l *checkpoint.Loader, name string) (T, bool) {
	v, _ := l.Slot(name)
	t, ok := v.(T)
	return t, ok
}

func (m *MemoryManager) restoreVMAs(l *checkpoint.Loader, images []VMAImage) error {
	at := m.min
	if len(images) > MaxMapCount+2 {
		return errImage
	}
	for i := range images {
		im := &images[i]
		if im.Start < at || im.End <= im.Start || im.End > m.max || (im.Start|im.End|im.Off)&pageMask != 0 ||
			im.Prot&^protAll != 0 || im.May&^protAll != 0 || im.Off+(im.End-im.Start) < im.Off {
			return errImage
		}
		at = im.End
		v := vma{prot: im.Prot, may: im.May, flags: vmaFlags(im.Flags), off: im.Off, name: im.Name}
		var err error
		if v.mappable, err = checkpoint.Get[memmap.Mappable](l, im.Mappable); err != nil {
			return err
		}
		if v.file, err = checkpoint.Get[memmap.File](l, im.File); err != nil {
			return err
		}
		if v.shared() && v.mappable == nil {
			return errImage
		}
		m.vmas.Insert(seg.Range{Start: im.Start, End: im.End}, v)
		m.sizes.account(&v, im.End-im.Start, 1)
	}
	return nil
}

func (m *MemoryManager) restorePMAs(images []PMAImage) error {
	at := m.min
	for i := range images {
		im := &images[i]
		r := seg.Range{Start: im.Start, End: im.End}
		if im.Start < at || im.End <= im.Start || (im.Start|im.End|im.Off)&pageMask != 0 || im.Off+r.Len() < im.Off || !m.vmas.Covered(r) {
			return errImage
		}
		at = im.End
		if m.cfg.Memory.Claim(memfile.Range{Start: im.Off, End: im.Off + r.Len()}, memfile.Anonymous) != 0 {
			return errImage
		}
		for g, v := range m.vmas.Over(r) {
			part := g.Intersect(r)
			m.pmas.Insert(part, pma{back: m.memory, off: im.Off + (part.Start - r.Start), prot: effective(v.prot), private: true, cow: im.Cow})
		}
	}
	return nil
}

// rejoin takes the references that the mappings hold.
func (m *MemoryManager) rejoin() error {
	for r, v := range m.vmas.All() {
		if v.mappable != nil {
			if err := v.mappable.AddMapping(m, r.Start, memmap.Range{Start: v.off, End: v.off + r.Len()}, v.tracksWrites()); err != nil {
				return err
			}
		}
		if v.file != nil {
			v.file.IncRef()
		}
	}
	if m.layout.Exe != nil {
		m.layout.Exe.IncRef()
	}
	return nil
}

// SharedImage is a SharedMemory in a checkpoint. Its mappings and holders are
// counted as they are restored.
type SharedImage struct {
	Mem   string
	Pages memfile.Range
}

func saveShared(sv *checkpoint.Saver, s *SharedMemory) SharedImage {
	return SharedImage{Mem: sv.Slot(SlotMemory), Pages: s.pages}
}

func restoreShared(l *checkpoint.Loader, s *SharedMemory, im SharedImage) error {
	f, ok := slot[*memfile.File](l, im.Mem)
	if !ok || f.Claim(im.Pages, memfile.Shared) != 0 {
		return errImage
	}
	s.mem, s.pages = memmap.Memory{File: f}, im.Pages
	return nil
}
