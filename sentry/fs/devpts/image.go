package devpts

import "cordon/internal/linux"

// PairImage is a pair in a checkpoint.
type PairImage struct {
	Index      uint32
	Termios    linux.Termios2
	Winsize    linux.Winsize
	In         []uint16 // with marks, from the first unread
	Edit       int
	Literal    bool
	Erasing    bool
	Out        []byte
	Column     int
	LineColumn int
	Held       []byte

	Hangups                    uint64
	EverOpened                 bool
	Locked, Exclusive          bool
	TermiosLock                linux.Termios
	Stopped, StoppedTC, Packet bool
	Status                     byte
	Session, Foreground        int32
	MasterGone                 bool
}

// Image returns m's pair's image. Slaves count themselves when they are
// restored.
func (m *Master) Image() PairImage { return m.pair.image() }

func (p *pair) image() PairImage {
	p.mu.Lock()
	defer p.mu.Unlock()
	im := PairImage{
		Index: p.index, Termios: p.termios, Winsize: p.winsize,
		Edit: p.in.edit - p.in.head, Literal: p.in.literal, Erasing: p.in.erasing,
		Out: append([]byte(nil), p.out.bytes[p.out.head:]...), Column: p.out.column, LineColumn: p.out.lineColumn,
		Held:    append([]byte(nil), p.out.held...),
		Hangups: p.hangups, EverOpened: p.everOpened, Locked: p.locked, Exclusive: p.exclusive,
		TermiosLock: p.termiosLock,
		Stopped:     p.stopped, StoppedTC: p.stoppedTC, Packet: p.packet, Status: p.status,
		Session: p.job.Session(), Foreground: p.job.ForegroundGroup(), MasterGone: p.masterGone,
	}
	for _, c := range p.in.cells[p.in.head:] {
		im.In = append(im.In, uint16(c))
	}
	return im
}

// RestoreTerminal makes a pair of its image, EINVAL if none can be so.
func (fs *FileSystem) RestoreTerminal(im *PairImage, uid, gid uint32) (*Master, error) {
	if !im.possible() {
		return nil, linux.EINVAL
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.pairs[im.Index] != nil {
		return nil, linux.EINVAL
	}
	p := newPair(fs, im.Index)
	p.fill(im)
	n := fs.newNode(firstSlaveIno+uint64(im.Index), linux.S_IFCHR|fs.options.Mode, uid, gid, p.Device())
	n.pair = p
	fs.pairs[im.Index], fs.slaves[im.Index] = p, n
	return &Master{pair: p}, nil
}

// possible reports whether a pair can be so.
func (im *PairImage) possible() bool {
	return im.Index < MaxTerminals && im.Edit >= 0 && im.Edit <= len(im.In) && len(im.In) <= inputSize+lineSize && len(im.Out) <= outputSize
}

// fill makes p, which is new, what im says.
func (p *pair) fill(im *PairImage) {
	p.termios, p.winsize = im.Termios, im.Winsize
	for i, c := range im.In {
		c := cell(c) & (0xff | lineEnd | endOfFile)
		if c&lineEnd == 0 {
			c &= 0xff
		} else if i < im.Edit {
			p.in.lines++
		}
		p.in.put(c)
	}
	p.in.edit, p.in.literal, p.in.erasing = im.Edit, im.Literal, im.Erasing
	p.out = output{bytes: append([]byte(nil), im.Out...), column: max(0, im.Column), lineColumn: max(0, im.LineColumn)}
	p.out.held = append([]byte(nil), im.Held[:min(len(im.Held), maxHeld)]...)
	p.termiosLock = im.TermiosLock
	p.hangups, p.everOpened, p.locked, p.exclusive = im.Hangups, im.EverOpened, im.Locked, im.Exclusive
	p.stopped, p.stoppedTC, p.packet, p.status = im.Stopped, im.StoppedTC, im.Packet, im.Status
	p.job.Restore(im.Session, im.Foreground)
	p.masterGone = im.MasterGone
}

// SlaveImage is a Slave in a checkpoint; its pair is named beside it.
type SlaveImage struct {
	Hangups  uint64
	Nonblock bool
}

// Image returns s's image.
func (s *Slave) Image() SlaveImage {
	return SlaveImage{Hangups: s.hangups, Nonblock: s.nonblock.Load()}
}

// RestoreSlave makes a slave of m's pair of its image.
func (m *Master) RestoreSlave(im SlaveImage) *Slave {
	p := m.pair
	s := &Slave{pair: p}
	s.fill(im)
	return s
}

func (s *Slave) fill(im SlaveImage) {
	p := s.pair
	s.hangups = im.Hangups
	s.nonblock.Store(im.Nonblock)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.hungUpLocked() {
		p.slaves++
	}
}
