package packet

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/socket"
)

// headerSizes are the sizes of a frame's header, by version.
var headerSizes = map[int32]int{
	linux.TPACKET_V1: linux.SizeTpacketHdr, linux.TPACKET_V2: linux.SizeTpacket2Hdr, linux.TPACKET_V3: linux.SizeTpacket3Hdr,
}

// maxRing bounds the memory of one ring; the guest's memory bounds them all.
const maxRing = 256 << 20

// retireDefault is how long a block of version 3 waits to be filled when the guest does not say.
const retireDefault = 8 * time.Millisecond

// A ring is memory that the guest has mapped, in which frames are left for it. The status word of a frame, or of a block of
// version 3, says whose it is.
type ring struct {
	// immutable
	s       *Socket
	version int32
	reserve int
	pages   memmap.Range // in s.memory
	blocks  int
	frames  int // of versions 1 and 2
	blkSize int
	frmSize int
	private int // of version 3: bytes of a block that are the guest's
	retire  time.Duration

	// atomic
	mapped atomic.Int64 // bytes

	// guarded by s.in
	next    int // frame, or block
	fill    int // of version 3: bytes of the block that are used, 0 while it is not open
	count   uint32
	last    int // where the block's last frame begins
	seq     uint64
	closing bool // the block's time is running
}

var _ memmap.Mappable = (*ring)(nil)

// setRing is PACKET_RX_RING: it makes the ring, or with no blocks gives it up.
func setRing(s *Socket, c *socket.OptionCall) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := linux.SizeTpacketReq
	if s.version == linux.TPACKET_V3 {
		size = linux.SizeTpacketReq3
	}
	if len(c.Value) < size {
		return linux.EINVAL
	}
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(c.Value[4*i:])) }
	if word(1) == 0 {
		if word(3) != 0 {
			return linux.EINVAL
		}
		return s.dropRing()
	}
	if s.hasRing() {
		return linux.EBUSY
	}
	r := &ring{
		s: s, version: s.version, reserve: int(s.reserve), blkSize: int(word(0)), blocks: int(word(1)), frmSize: int(word(2)),
		frames: int(word(3)), retire: retireDefault,
	}
	if r.version == linux.TPACKET_V3 {
		if v := word(4); v != 0 {
			r.retire = time.Duration(v) * time.Millisecond
		}
		r.private = int(word(5))
	}
	if !r.sound() {
		return linux.EINVAL
	}
	if word(0)*word(1) > maxRing {
		return linux.ENOMEM
	}
	pages, errno := s.memory.Alloc(word(0) * word(1))
	if errno != 0 {
		return linux.ENOMEM
	}
	r.pages = pages
	if r.version == linux.TPACKET_V3 {
		r.openAll()
	}
	s.in.Lock()
	s.ring = r
	s.queue, s.bytes = nil, 0
	s.in.Unlock()
	return nil
}

// sound checks the sizes as Linux: net/packet/af_packet.c packet_set_ring does.
func (r *ring) sound() bool {
	least := linux.TpacketAlign(headerSizes[r.version]) + linux.SizeSockaddrLl + r.reserve
	if r.blkSize <= 0 || r.blkSize > maxRing || r.blkSize%linux.PageSize != 0 || r.frmSize < least ||
		r.frmSize%linux.TPACKET_ALIGNMENT != 0 {
		return false
	}
	if r.version == linux.TPACKET_V3 && (r.private < 0 || r.private > r.blkSize || r.first()+least > r.blkSize) {
		return false
	}
	per := r.blkSize / r.frmSize
	return per > 0 && uint64(per)*uint64(r.blocks) == uint64(r.frames)
}

func (s *Socket) dropRing() error {
	s.in.Lock()
	r := s.ring
	if r != nil && r.mapped.Load() > 0 {
		s.in.Unlock()
		return linux.EBUSY
	}
	s.ring = nil
	s.in.Unlock()
	if r != nil {
		r.free()
	}
	return nil
}

func (r *ring) free() { r.s.memory.DecRef(r.pages) }

// Where things stand in headers.
const (
	statusV3Block = 8
	countV3       = 12
	firstV3       = 16
	lengthV3      = 20
	sequenceV3    = 24
	firstTimeV3   = 32
	lastTimeV3    = 40
	statusV3      = 20
)

// frameAt is the place of frame i of versions 1 and 2: frames do not lie across blocks.
func (r *ring) frameAt(i int) uint64 {
	per := r.blkSize / r.frmSize
	return uint64(i/per*r.blkSize + i%per*r.frmSize)
}

func (r *ring) blockAt(i int) uint64 { return uint64(i * r.blkSize) }

// status reads the word that says whose a frame or block is; setStatus gives it away, after everything else was written.
func (r *ring) status(at uint64) uint32 { return loadWord(r.window(at, 4)) }

func (r *ring) setStatus(at uint64, v uint32) { storeWord(r.window(at, 4), v) }

func (r *ring) window(at uint64, n int) []byte {
	start := r.pages.Start + at
	return r.s.memory.Window(memmap.Range{Start: start, End: start + uint64(n)})
}

func (r *ring) write(at uint64, b []byte) {
	r.s.memory.WriteAt(b, r.pages.Start+at) // guest memory is never short
}

// ready says whether there is something for the guest: what was filled last is still its.
func (r *ring) ready() bool {
	r.s.in.AssertHeld()
	if r.version == linux.TPACKET_V3 {
		before := (r.next + r.blocks - 1) % r.blocks
		return r.status(r.blockAt(before)+statusV3Block) != linux.TP_STATUS_KERNEL
	}
	return r.status(r.frameAt((r.next+r.frames-1)%r.frames)) != linux.TP_STATUS_KERNEL
}

// put writes a frame into the ring; false when there is no room.
func (r *ring) put(f *frame) bool {
	r.s.in.AssertHeld()
	// The link header ends where the network header begins, which is aligned; 16 bytes are left for it at least.
	head := headerSizes[r.version] + linux.SizeSockaddrLl
	var mac, net int
	if r.s.raw() {
		net = linux.TpacketAlign(head+max(16, f.net)) + r.reserve
		mac = net - f.net
	} else {
		net = linux.TpacketAlign(head) + 16 + r.reserve
		mac = net
	}
	if r.version == linux.TPACKET_V3 {
		return r.putBlock(f, mac, net)
	}
	at := r.frameAt(r.next)
	if r.status(at) != linux.TP_STATUS_KERNEL {
		return false
	}
	data := f.data[:max(0, min(len(f.data), r.frmSize-mac))]
	r.write(at+uint64(mac), data)
	h := make([]byte, headerSizes[r.version]+linux.SizeSockaddrLl)
	sec, ns := uint32(f.timeNS/1e9), uint32(f.timeNS%1e9)
	if r.version == linux.TPACKET_V1 {
		put32(h[8:], uint32(f.size), uint32(len(data)))
		put16(h[16:], uint16(mac), uint16(net))
		put32(h[20:], sec, ns/1000)
	} else {
		put32(h[4:], uint32(f.size), uint32(len(data)))
		put16(h[12:], uint16(mac), uint16(net))
		put32(h[16:], sec, ns)
	}
	copy(h[headerSizes[r.version]:], format(f.index, f.proto, f.hwType, f.typ, f.source[:]))
	// The first four bytes are the status: it stays the kernel's until all is there. Of version 1 it has eight.
	r.write(at+4, h[4:])
	r.setStatus(at, r.userStatus(f, len(data)))
	r.next = (r.next + 1) % r.frames
	return true
}

func (r *ring) userStatus(f *frame, got int) uint32 {
	st := uint32(linux.TP_STATUS_USER | linux.TP_STATUS_TS_SOFTWARE)
	if r.s.drops > 0 {
		st |= linux.TP_STATUS_LOSING
	}
	if f.typ != linux.PACKET_OUTGOING {
		st |= linux.TP_STATUS_CSUM_VALID
	}
	return st
}

func put32(b []byte, vs ...uint32) {
	for i, v := range vs {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
}

func put16(b []byte, vs ...uint16) {
	for i, v := range vs {
		binary.LittleEndian.PutUint16(b[2*i:], v)
	}
}

// first is where the frames of a block begin.
func (r *ring) first() int { return linux.SizeTpacketBlockHdr + (r.private+7)&^7 }

// openAll writes what of the headers of blocks never changes.
func (r *ring) openAll() {
	for i := range r.blocks {
		h := make([]byte, 8)
		put32(h, linux.TPACKET_V3, linux.SizeTpacketBlockHdr)
		r.write(r.blockAt(i), h)
	}
}

// putBlock puts a frame into the block that is open, or closes that and opens the next.
func (r *ring) putBlock(f *frame, mac, net int) bool {
	data := f.data[:max(0, min(len(f.data), r.blkSize-r.first()-mac))]
	need := (mac + len(data) + 7) &^ 7
	if r.fill != 0 && r.fill+need > r.blkSize {
		r.closeBlock(0)
	}
	if r.fill == 0 && !r.openBlock(f) {
		return false
	}
	at := r.blockAt(r.next)
	if r.count > 0 {
		h := make([]byte, 4)
		put32(h, uint32(r.fill-r.last))
		r.write(at+uint64(r.last), h)
	}
	r.last = r.fill
	h := make([]byte, linux.SizeTpacket3Hdr+linux.SizeSockaddrLl)
	put32(h[4:], uint32(f.timeNS/1e9), uint32(f.timeNS%1e9), uint32(len(data)), uint32(f.size), r.userStatus(f, len(data)))
	put16(h[24:], uint16(mac), uint16(net))
	copy(h[linux.SizeTpacket3Hdr:], format(f.index, f.proto, f.hwType, f.typ, f.source[:]))
	r.write(at+uint64(r.fill), h)
	r.write(at+uint64(r.fill+mac), data)
	r.fill += need
	r.count++
	b := make([]byte, 8)
	put32(b, uint32(f.timeNS/1e9), uint32(f.timeNS%1e9))
	r.write(at+lastTimeV3, b)
	return true
}

// openBlock begins the next block if it is not the guest's.
func (r *ring) openBlock(f *frame) bool {
	at := r.blockAt(r.next)
	if r.status(at+statusV3Block) != linux.TP_STATUS_KERNEL {
		r.s.freezes++
		return false
	}
	r.seq++
	h := make([]byte, 28)
	put32(h[4:], uint32(r.first()))
	binary.LittleEndian.PutUint64(h[12:], r.seq)
	put32(h[20:], uint32(f.timeNS/1e9), uint32(f.timeNS%1e9))
	r.write(at+countV3, h)
	r.fill, r.count, r.last = r.first(), 0, 0
	if !r.closing {
		r.closing = true
		r.s.Namespace().Stack.After(r.retire, r.expire)
	}
	return true
}

// closeBlock gives the open block to the guest.
func (r *ring) closeBlock(why uint32) {
	at := r.blockAt(r.next)
	h := make([]byte, 12)
	put32(h, r.count, uint32(r.first()), uint32(r.fill))
	r.write(at+countV3, h)
	r.setStatus(at+statusV3Block, linux.TP_STATUS_USER|why)
	r.next = (r.next + 1) % r.blocks
	r.fill = 0
}

// expire closes a block whose time is over.
func (r *ring) expire() {
	r.s.in.Lock()
	defer r.s.in.Unlock()
	r.closing = false
	if r.s.ring != r || r.fill == 0 {
		return
	}
	r.closeBlock(linux.TP_STATUS_BLK_TMO)
	r.s.Queue().Notify(readable)
}

// Mappable implements vfs.Mapper.
func (s *Socket) Mappable(linux.Prot, bool) (memmap.Mappable, error) {
	s.in.Lock()
	defer s.in.Unlock()
	if s.ring == nil {
		return nil, linux.EINVAL
	}
	return s.ring, nil
}

// Translate implements memmap.Mappable.
func (r *ring) Translate(required, optional memmap.Range, _ bool) ([]memmap.Translation, error) {
	var err error
	if required.End > r.pages.Len() {
		err = linux.EFAULT
	}
	optional.End = min(optional.End, r.pages.Len())
	if optional.Start >= optional.End {
		return nil, linux.EFAULT
	}
	return []memmap.Translation{{
		Source: optional, File: r.s.memory, Offset: r.pages.Start + optional.Start, Writable: true,
	}}, err
}

// AddMapping implements memmap.Mappable: pages never move. Bytes are counted, because mappings are cut and joined.
func (r *ring) AddMapping(_ memmap.MappingSpace, _ uint64, part memmap.Range, _ bool) error {
	r.mapped.Add(int64(part.Len()))
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (r *ring) RemoveMapping(_ memmap.MappingSpace, _ uint64, part memmap.Range, _ bool) {
	r.mapped.Add(-int64(part.Len()))
}
