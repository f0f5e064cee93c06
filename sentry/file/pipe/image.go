package pipe

import (
	"cordon/internal/linux"
	"cordon/sentry/wait"
)

// SlotImage is a slot in a checkpoint.
type SlotImage struct {
	Data   []byte
	Merge  bool
	Packet bool
}

// Image is a Pipe in a checkpoint. Its ends are counted as their descriptions
// are restored.
type Image struct {
	FIFO      bool
	Ring      []SlotImage
	Max       int
	ReaderGen uint64
	WriterGen uint64
}

// Image returns p's image. No splice is under way at a checkpoint.
func (p *Pipe) Image() Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	im := Image{FIFO: p.fifo, Max: p.max, ReaderGen: p.readerGen, WriterGen: p.writerGen}
	for i := range p.ring.n {
		s := p.ring.at(i)
		im.Ring = append(im.Ring, SlotImage{
			Data:   append([]byte(nil), s.bytes()...),
			Merge:  s.flags&canMerge != 0,
			Packet: s.flags&packet != 0,
		})
	}
	return im
}

// Restore makes a Pipe without ends of its image, EINVAL if no pipe can be so.
func Restore(im *Image) (*Pipe, error) {
	p := &Pipe{}
	if err := p.fill(im); err != nil {
		return nil, err
	}
	return p, nil
}

// fill makes p, which has no contents, what im says.
func (p *Pipe) fill(im *Image) error {
	if im.Max < 1 || im.Max*pageSize > maxPrivileged || len(im.Ring) > im.Max {
		return linux.EINVAL
	}
	p.fifo = im.FIFO
	p.max, p.readerGen, p.writerGen, p.polled = im.Max, im.ReaderGen, im.WriterGen, true
	for i := range im.Ring {
		s := &im.Ring[i]
		if len(s.Data) == 0 || len(s.Data) > pageSize {
			return linux.EINVAL
		}
		var flags slotFlags
		if s.Merge {
			flags |= canMerge
		}
		if s.Packet {
			flags |= packet
		}
		pg := pages.get()
		p.pushLocked(slot{page: pg, n: uint16(copy(pg.b[:], s.Data)), flags: flags})
	}
	return nil
}

// EndImage is an End in a checkpoint; its pipe is named beside it.
type EndImage struct {
	Read, Write bool
	OtherGen    uint64
	Packets     bool
}

// Image returns e's image.
func (e *End) Image() EndImage {
	return EndImage{Read: e.read, Write: e.write, OtherGen: e.otherGen, Packets: e.packets.Load()}
}

// RestoreEnd makes an end of p of its image.
func RestoreEnd(p *Pipe, im EndImage) *End {
	e := &End{}
	e.fill(p, im)
	return e
}

func (e *End) fill(p *Pipe, im EndImage) {
	e.pipe, e.read, e.write, e.otherGen = p, im.Read, im.Write, im.OtherGen
	e.packets.Store(im.Packets)
	p.mu.Lock()
	if e.read {
		p.readers++
	}
	if e.write {
		p.writers++
	}
	p.mu.Unlock()
	p.queue.Notify(wait.Internal)
}
