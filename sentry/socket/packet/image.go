package packet

import (
	"errors"
	"time"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
)

var errImage = errors.New("packet sockets that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("packet.Socket", saveSocket, loadSocket)}
}

// Image is a Socket in a checkpoint.
type Image struct {
	Memory    string
	Base      socket.BaseImage
	Room      int64
	Auxdata   bool
	IgnoreOut bool
	Index     int32
	Proto     uint16
	Version   int32
	Reserve   uint32
	Bypass    bool
	OrigDev   bool
	Stamp     int32
	Members   []member
	Queue     []FrameImage
	Seen      uint32
	Drops     uint32
	Freezes   uint32
	Err       linux.Errno
	HasRing   bool
	Ring      RingImage
}

// FrameImage is a frame in a checkpoint.
type FrameImage struct {
	Data   []byte
	Size   int
	Net    int
	Index  int32
	Proto  uint16
	Typ    uint8
	HWType uint16
	Source []byte
	TimeNS int64
}

// RingImage is a ring in a checkpoint. Its pages are in the memory file's part of the image. A block that was open is closed
// when it is full, or at the first frame after its time.
type RingImage struct {
	Version int32
	Reserve int
	Pages   memmap.Range
	Blocks  int
	Frames  int
	BlkSize int
	FrmSize int
	Private int
	Retire  int64
	Mapped  int64
	Next    int
	Fill    int
	Count   uint32
	Last    int
	Seq     uint64
}

func saveSocket(s *checkpoint.Saver, k *Socket) Image {
	im := Image{Memory: s.Slot(mm.SlotMemory), Base: k.Base.Image(s, k), Room: k.room.Load(), Auxdata: k.auxdata.Load(), IgnoreOut: k.ignoreOut.Load()}
	k.mu.Lock()
	im.Index, im.Proto, im.Version, im.Reserve = k.index, k.proto, k.version, k.reserve
	im.Bypass, im.OrigDev, im.Stamp = k.bypass, k.origDev, k.stamp
	im.Members = append(im.Members, k.members...)
	k.mu.Unlock()
	k.in.Lock()
	defer k.in.Unlock()
	for _, f := range k.queue {
		im.Queue = append(im.Queue, FrameImage{
			f.data, f.size, f.net, f.index, f.proto, f.typ, f.hwType, append([]byte(nil), f.source[:]...), f.timeNS,
		})
	}
	im.Seen, im.Drops, im.Freezes, im.Err = k.seen, k.drops, k.freezes, k.err
	if r := k.ring; r != nil {
		im.HasRing = true
		im.Ring = RingImage{
			r.version, r.reserve, r.pages, r.blocks, r.frames, r.blkSize, r.frmSize, r.private, int64(r.retire), r.mapped.Load(), r.next,
			r.fill, r.count, r.last, r.seq,
		}
	}
	return im
}

func loadSocket(l *checkpoint.Loader, k *Socket, im Image) error {
	if err := k.Base.Restore(l, k, k, &im.Base); err != nil {
		return err
	}
	k.room.Store(im.Room)
	k.auxdata.Store(im.Auxdata)
	k.ignoreOut.Store(im.IgnoreOut)
	k.index, k.proto, k.version, k.reserve = im.Index, im.Proto, im.Version, im.Reserve
	k.bypass, k.origDev, k.stamp, k.members = im.Bypass, im.OrigDev, im.Stamp, im.Members
	for _, f := range im.Queue {
		o := frame{
			data: f.Data, size: f.Size, net: f.Net, index: f.Index, proto: f.Proto, typ: f.Typ, hwType: f.HWType, timeNS: f.TimeNS,
		}
		if copy(o.source[:], f.Source) != len(o.source) {
			return errImage
		}
		k.queue = append(k.queue, o)
		k.bytes += int64(len(o.data) + frameCost)
	}
	k.seen, k.drops, k.freezes, k.err = im.Seen, im.Drops, im.Freezes, im.Err
	v, _ := l.Slot(im.Memory)
	mem, ok := v.(*memfile.File)
	if !ok {
		return errImage
	}
	k.memory = MemoryFile{memmap.Memory{File: mem}}
	if im.HasRing {
		if k.ring = im.Ring.restore(k); k.ring == nil || mem.Claim(memfile.Range(k.ring.pages), memfile.Shared) != 0 {
			return errImage
		}
	}
	l.AfterLoad(func() error {
		if k.Namespace().Stack == nil || k.retap() != nil {
			return errImage
		}
		return nil
	})
	return nil
}

// restore makes the ring, nil when there can be none like it.
func (im *RingImage) restore(k *Socket) *ring {
	r := &ring{
		s: k, version: im.Version, reserve: im.Reserve, pages: im.Pages, blocks: im.Blocks, frames: im.Frames,
		blkSize: im.BlkSize, frmSize: im.FrmSize, private: im.Private, retire: time.Duration(im.Retire),
		next: im.Next, fill: im.Fill, count: im.Count, last: im.Last, seq: im.Seq,
	}
	r.mapped.Store(im.Mapped)
	if headerSizes[r.version] == 0 || r.reserve < 0 || r.blocks <= 0 || !r.sound() || r.pages.End < r.pages.Start ||
		r.pages.Len() != uint64(r.blocks)*uint64(r.blkSize) || r.next < 0 || r.fill < 0 || r.fill > r.blkSize ||
		r.last < 0 || r.last > r.blkSize-linux.SizeTpacket3Hdr {
		return nil
	}
	if n := r.blocks; r.next >= n && (r.version == linux.TPACKET_V3 || r.next >= r.frames) {
		return nil
	}
	return r
}
