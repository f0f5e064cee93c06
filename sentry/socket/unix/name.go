package unix

import (
	"bytes"
	"fmt"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// parse turns an address into a name: a path, or NUL and an abstract name. "" stands for an address of the family alone,
// which asks bind(2) to choose.
func parse(a socket.Address) (string, error) {
	if len(a) < 2 || len(a) > 2+linux.UNIX_PATH_MAX {
		return "", linux.EINVAL
	}
	if linux.AddressFamily(a[0])|linux.AddressFamily(a[1])<<8 != linux.AF_UNIX {
		return "", linux.EINVAL
	}
	path := a[2:]
	if len(path) == 0 || path[0] == 0 {
		return string(path), nil
	}
	if i := bytes.IndexByte(path, 0); i >= 0 {
		path = path[:i]
	}
	return string(path), nil
}

// address is parse's inverse.
func address(name string) socket.Address {
	a := append(socket.Address{byte(linux.AF_UNIX), 0}, name...)
	if name != "" && name[0] != 0 {
		a = append(a, 0)
	}
	return a
}

// LocalName implements socket.Namer.
func (s *Socket) LocalName() (socket.Address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return address(s.name), nil
}

// PeerName implements socket.Namer.
func (s *Socket) PeerName() (socket.Address, error) {
	s.mu.Lock()
	peer := s.peer
	s.mu.Unlock()
	if peer == nil {
		return nil, linux.ENOTCONN
	}
	return peer.LocalName()
}

// Bind implements socket.Namer.
func (s *Socket) Bind(c *vfs.Caller, a socket.Address) error {
	name, err := parse(a)
	if err != nil {
		return err
	}
	if s.bound() {
		if name == "" {
			return nil // as in Linux: nothing to choose any more
		}
		if name[0] != 0 {
			// As in Linux, the path is tried first.
			if _, err := vfs.Resolve(c, c.Cwd, name, vfs.NoFollow); err == nil {
				return linux.EADDRINUSE
			}
		}
		return linux.EINVAL
	}
	switch {
	case name == "":
		return s.autobind()
	case name[0] == 0:
		return s.bindAbstract(name)
	}
	return s.bindPath(c, name)
}

func (s *Socket) bound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name != ""
}

func (s *Socket) bindAbstract(name string) error {
	if !s.Namespace().BindAbstract(name, s) {
		return linux.EADDRINUSE
	}
	if !s.setName(name, fileID{}, vfs.Path{}) {
		s.Namespace().UnbindAbstract(name, s)
		return linux.EINVAL
	}
	return nil
}

// autobind chooses an abstract name of five digits.
func (s *Socket) autobind() error {
	const names = 1 << 20
	first := uint32(s.Namespace().NextName())
	for i := range uint32(names) {
		err := s.bindAbstract(fmt.Sprintf("\x00%05x", (first+i)%names))
		if err != error(linux.EADDRINUSE) {
			return err
		}
	}
	return linux.ENOSPC
}

func (s *Socket) bindPath(c *vfs.Caller, name string) error {
	p, err := vfs.BindSocket(c, c.Cwd, name, 0o777)
	if err != nil {
		return err
	}
	id, err := idOf(p)
	if err != nil {
		return err
	}
	p.IncRef()
	s.provider.mu.Lock()
	s.provider.bound[id] = s
	ok := s.setName(name, id, p)
	if !ok {
		delete(s.provider.bound, id)
	}
	s.provider.mu.Unlock()
	if !ok {
		p.DecRef()
		return linux.EINVAL // another thread was faster; its file stays, as in Linux
	}
	return nil
}

func (s *Socket) setName(name string, id fileID, p vfs.Path) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name != "" || s.state == dead {
		return false
	}
	s.name, s.file, s.at = name, id, p
	return true
}

func idOf(p vfs.Path) (fileID, error) {
	a, err := p.Inode().Attr()
	if err != nil {
		return fileID{}, err
	}
	return fileID{p.Dentry.FileSystem().Device(), a.Ino}, nil
}

// find returns the socket that an address names, which must be of s's type.
func (s *Socket) find(c *vfs.Caller, a socket.Address) (*Socket, error) {
	name, err := parse(a)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, linux.EINVAL
	}
	var other *Socket
	if name[0] == 0 {
		other, _ = s.Namespace().FindAbstract(name).(*Socket)
	} else if other, err = s.findPath(c, name); err != nil {
		return nil, err
	}
	if other == nil {
		return nil, linux.ECONNREFUSED
	}
	if other.Info().Type != s.Info().Type {
		return nil, linux.EPROTOTYPE
	}
	return other, nil
}

func (s *Socket) findPath(c *vfs.Caller, name string) (*Socket, error) {
	p, err := vfs.Resolve(c, c.Cwd, name, 0)
	if err != nil {
		return nil, err
	}
	if err := vfs.May(c, p, vfs.MayWrite); err != nil {
		return nil, err
	}
	if p.Dentry.Kind() != linux.S_IFSOCK {
		return nil, linux.ECONNREFUSED
	}
	id, err := idOf(p)
	if err != nil {
		return nil, err
	}
	s.provider.mu.Lock()
	defer s.provider.mu.Unlock()
	return s.provider.bound[id], nil
}

// A Listing is a socket as /proc/net/unix shows it.
type Listing struct {
	Name       string // "@" stands for the NUL of an abstract name
	Listening  bool
	Connected  bool
	Accepted   bool // or never had to be
	References int64
}

// List describes the socket.
func (s *Socket) List() Listing {
	s.mu.Lock()
	l := Listing{Listening: s.state == listening, Connected: s.state == connected, Name: s.name, References: 1}
	if s.peer != nil {
		l.References++
	}
	s.mu.Unlock()
	l.Accepted = s.Description() != nil
	if l.Accepted {
		l.References++
	}
	if l.Name != "" && l.Name[0] == 0 {
		l.Name = "@" + strings.ReplaceAll(l.Name[1:], "\x00", "@")
	}
	return l
}
