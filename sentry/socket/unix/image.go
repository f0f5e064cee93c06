package unix

import (
	"errors"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// SlotProvider is the *Provider of the kernel that is being restored.
const SlotProvider = "unix"

var errImage = errors.New("unix sockets that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("unix.Socket", saveSocket, loadSocket)}
}

// MessageImage is a message in a checkpoint.
type MessageImage struct {
	Data      []byte
	From      string
	Creds     socket.Creds
	HasCreds  bool
	Rights    []checkpoint.Ref
	RightsUID uint32
	Sender    checkpoint.Ref
	Charge    int
}

// Image is a Socket in a checkpoint. Who waits for room is not saved: the waiting calls are made again.
type Image struct {
	Base      socket.BaseImage
	Provider  string
	State     uint8
	Name      string
	Owner     bool // of its name: an accepted socket only shows its listener's
	At        vfs.PathImage
	Peer      checkpoint.Ref
	Who       socket.Creds
	WhoGroups []uint32
	HasWho    bool
	Queue     []MessageImage
	Accepts   []checkpoint.Ref
	Backlog   int
	ReadShut  bool
	WriteShut bool
	Err       linux.Errno
	Sent      int64
}

func saveSocket(s *checkpoint.Saver, k *Socket) Image {
	im := Image{Base: k.Base.Image(s, k), Provider: s.Slot(SlotProvider), Sent: k.sent.Load(), Owner: k.ownsName()}
	k.mu.Lock()
	defer k.mu.Unlock()
	im.State, im.Name, im.Peer, im.Backlog = uint8(k.state), k.name, s.Ref(k.peer), k.backlog
	im.ReadShut, im.WriteShut, im.Err = k.readShut, k.writeShut, k.err
	im.At = k.at.Image(s)
	if k.who != nil {
		im.HasWho, im.Who, im.WhoGroups = true, k.who.creds, k.who.groups
	}
	for _, a := range k.accepts {
		im.Accepts = append(im.Accepts, s.Ref(a))
	}
	for m := k.queue.first; m != nil; m = m.next {
		mi := MessageImage{Data: m.data, From: m.from, Sender: s.Ref(m.sender), Charge: m.charge}
		if m.creds != nil {
			mi.HasCreds, mi.Creds = true, *m.creds
		}
		if m.rights != nil {
			mi.RightsUID = m.rights.uid
			for _, d := range m.rights.files {
				mi.Rights = append(mi.Rights, s.Ref(d))
			}
		}
		im.Queue = append(im.Queue, mi)
	}
	return im
}

// ownsName reports whether the socket was bound itself.
func (s *Socket) ownsName() bool {
	s.mu.Lock()
	name, at := s.name, s.at
	s.mu.Unlock()
	if name == "" || name[0] != 0 {
		return at.Valid()
	}
	return s.Namespace().FindAbstract(name) == socket.Listed(s)
}

func loadSocket(l *checkpoint.Loader, k *Socket, im Image) error {
	v, _ := l.Slot(im.Provider)
	p, ok := v.(*Provider)
	if !ok {
		return errors.New("the provider of unix sockets was not supplied")
	}
	k.provider = p
	if err := k.Base.Restore(l, k, k, &im.Base); err != nil {
		return err
	}
	var err error
	if k.peer, err = checkpoint.Get[*Socket](l, im.Peer); err != nil {
		return err
	}
	if k.accepts, err = checkpoint.GetAll[*Socket](l, im.Accepts); err != nil {
		return err
	}
	if im.State > uint8(dead) || im.State == uint8(connected) && k.stream() && k.peer == nil && !im.ReadShut {
		return errImage
	}
	k.state, k.name, k.backlog = state(im.State), im.Name, im.Backlog
	k.readShut, k.writeShut, k.err = im.ReadShut, im.WriteShut, im.Err
	k.sent.Store(im.Sent)
	if im.HasWho {
		k.who = &peer{im.Who, im.WhoGroups}
	}
	for i := range im.Queue {
		if err := k.loadMessage(l, &im.Queue[i]); err != nil {
			return err
		}
	}
	if im.Owner && im.Name != "" {
		return k.loadName(l, &im)
	}
	return nil
}

func (s *Socket) loadMessage(l *checkpoint.Loader, im *MessageImage) (err error) {
	m := &message{buf: im.Data, data: im.Data, from: im.From, charge: im.Charge}
	if m.sender, err = checkpoint.Get[*Socket](l, im.Sender); err != nil {
		return err
	}
	if im.HasCreds {
		c := im.Creds
		m.creds = &c
	}
	s.queue.push(m)
	if len(im.Rights) == 0 {
		return nil
	}
	files, err := checkpoint.GetAll[*vfs.Description](l, im.Rights)
	if err != nil || len(files) > linux.SCM_MAX_FD {
		return errImage
	}
	for _, d := range files {
		if d == nil {
			return errImage
		}
		d.IncRef()
	}
	m.rights = &rights{files, im.RightsUID}
	vfs.AfterFiles(l, func() error {
		s.provider.mu.Lock()
		defer s.provider.mu.Unlock()
		s.provider.countLocked(m.rights, 1)
		return nil
	})
	return nil
}

// loadName makes the socket findable again.
func (s *Socket) loadName(l *checkpoint.Loader, im *Image) (err error) {
	if im.Name[0] == 0 {
		l.AfterLoad(func() error {
			if !s.Namespace().BindAbstract(im.Name, s) {
				return errImage
			}
			return nil
		})
		return nil
	}
	if s.at, err = vfs.RestorePath(l, im.At); err != nil {
		return err
	}
	if !s.at.Valid() {
		return errImage
	}
	vfs.AfterNames(l, func() error {
		id, err := idOf(s.at)
		if err != nil {
			return err
		}
		s.file = id
		s.provider.mu.Lock()
		defer s.provider.mu.Unlock()
		s.provider.bound[id] = s
		return nil
	})
	return nil
}
