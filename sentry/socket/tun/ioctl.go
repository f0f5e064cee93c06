package tun

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

const (
	sizeIfreq = 40
	// kept are the flags that a program sets for itself; features are all that there are.
	kept     = linux.IFF_NO_PI | linux.IFF_ONE_QUEUE | linux.IFF_VNET_HDR
	features = linux.IFF_TUN | linux.IFF_TAP | kept
	offloads = linux.TUN_F_CSUM | linux.TUN_F_TSO4 | linux.TUN_F_TSO6 | linux.TUN_F_TSO_ECN | linux.TUN_F_UFO
)

// Ioctl implements vfs.Ioctler. (Linux: drivers/net/tun.c __tun_chr_ioctl)
func (f *File) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	cmd := linux.IoctlCmd(req)
	switch cmd {
	case linux.TUNGETFEATURES:
		return 0, putInt(mem, arg, features)
	case linux.TUNSETIFF:
		return 0, f.setInterface(c, mem, arg)
	}
	t := f.of()
	if t == nil {
		return 0, linux.EBADFD
	}
	conf := t.Conf()
	switch cmd {
	case linux.TUNGETIFF:
		return 0, getInterface(t, mem, arg)
	case linux.TUNSETNOCSUM, linux.TUNSETDEBUG:
		return 0, nil // as in Linux, which does nothing else either
	case linux.TUNSETPERSIST:
		conf.Persistent = arg != 0
	case linux.TUNSETOWNER:
		if conf.Owner = c.Cred.UserNS.ToRootUID(uint32(arg)); conf.Owner == cred.NoID {
			return 0, linux.EINVAL
		}
	case linux.TUNSETGROUP:
		if conf.Group = c.Cred.UserNS.ToRootGID(uint32(arg)); conf.Group == cred.NoID {
			return 0, linux.EINVAL
		}
	case linux.TUNSETOFFLOAD:
		if arg&^offloads != 0 || arg&linux.TUN_F_CSUM == 0 && arg != 0 {
			return 0, linux.EINVAL
		}
		return 0, nil
	case linux.TUNGETVNETHDRSZ:
		return 0, putInt(mem, arg, uint32(conf.HeaderSize))
	case linux.TUNSETVNETHDRSZ:
		v, err := getInt(mem, arg)
		if err != nil {
			return 0, err
		}
		if int32(v) < netstack.VNetHeaderSize || v > netstack.MaxVNetHeader {
			return 0, linux.EINVAL
		}
		conf.HeaderSize = uint16(v)
	case linux.SIOCGIFHWADDR, linux.SIOCSIFHWADDR:
		return f.hardware(t, c, mem, req, arg)
	default:
		return 0, linux.EINVAL
	}
	t.SetConf(conf)
	return 0, nil
}

// hardware has the namespace answer for its interface, whatever name the request has.
func (f *File) hardware(t *netstack.Tun, c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	s, index := t.Where()
	if s == nil {
		return 0, linux.EBADFD
	}
	i, _ := s.Interface(index)
	n, ok := s.Owner().(*socket.Namespace)
	if !ok {
		return 0, linux.EBADFD
	}
	var name [linux.IFNAMSIZ]byte
	copy(name[:], i.Name)
	if _, err := mem.CopyOut(arg, name[:]); err != nil {
		return 0, err
	}
	return socket.DeviceIoctl(n, c, mem, req, arg)
}

func putInt(mem usermem.Space, addr uint64, v uint32) error {
	_, err := mem.CopyOut(addr, binary.LittleEndian.AppendUint32(nil, v))
	return err
}

func getInt(mem usermem.Space, addr uint64) (uint32, error) {
	var b [4]byte
	_, err := mem.CopyIn(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// getInterface is TUNGETIFF.
func getInterface(t *netstack.Tun, mem usermem.Space, arg uint64) error {
	var b [sizeIfreq]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return err
	}
	s, index := t.Where()
	if s == nil {
		return linux.EBADFD
	}
	i, _ := s.Interface(index)
	clear(b[:linux.IFNAMSIZ])
	copy(b[:], i.Name)
	binary.LittleEndian.PutUint16(b[linux.IFNAMSIZ:], Flags(t))
	_, err := mem.CopyOut(arg, b[:])
	return err
}

// Flags are an interface's flags as TUNGETIFF tells them.
func Flags(t *netstack.Tun) uint16 {
	c := t.Conf()
	f := c.Flags | linux.IFF_TAP
	if t.Bare() {
		f = c.Flags | linux.IFF_TUN
	}
	if c.Persistent {
		f |= linux.IFF_PERSIST
	}
	return f
}

// setInterface is TUNSETIFF.
func (f *File) setInterface(c *vfs.Caller, mem usermem.Space, arg uint64) error {
	var b [sizeIfreq]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return err
	}
	b[linux.IFNAMSIZ-1] = 0
	name, _, _ := bytes.Cut(b[:linux.IFNAMSIZ], []byte{0})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tun != nil {
		if s, _ := f.tun.Where(); s != nil {
			return linux.EEXIST
		}
	}
	flags := binary.LittleEndian.Uint16(b[linux.IFNAMSIZ:])
	t, found, err := f.find(c, string(name), flags)
	if err != nil {
		return err
	}
	f.tun = t
	if s, index := t.Where(); s != nil { // nobody has taken it away meanwhile
		linkChanged(s, index)
	}
	clear(b[:linux.IFNAMSIZ])
	copy(b[:], found)
	_, err = mem.CopyOut(arg, b[:])
	return err
}

// find attaches the file to the interface of a name, or to a new one, and says what it is called.
func (f *File) find(c *vfs.Caller, name string, flags uint16) (t *netstack.Tun, called string, err error) {
	const known = features | linux.IFF_TUN_EXCL | linux.IFF_PERSIST
	bare, s := flags&linux.IFF_TUN != 0, f.ns.Stack
	if flags&^known != 0 {
		return nil, "", linux.EINVAL
	}
	if i, ok := s.InterfaceByName(name); ok {
		t := s.TunOf(i.Index)
		switch {
		case flags&linux.IFF_TUN_EXCL != 0:
			return nil, "", linux.EBUSY
		case t == nil || t.Bare() != bare || !bare && flags&linux.IFF_TAP == 0:
			return nil, "", linux.EINVAL
		case !mayAttach(t.Conf(), c.Cred) && !f.ns.Capable(c, linux.CAP_NET_ADMIN):
			return nil, "", linux.EPERM
		}
		if err := t.Attach(f.changed); err != nil {
			return nil, "", err
		}
		conf := t.Conf()
		conf.Flags = flags & kept
		t.SetConf(conf)
		return t, name, nil
	}
	if !f.ns.Capable(c, linux.CAP_NET_ADMIN) {
		return nil, "", linux.EPERM
	}
	pattern := "tap%d"
	switch {
	case bare:
		pattern = "tun%d"
	case flags&linux.IFF_TAP == 0:
		return nil, "", linux.EINVAL
	}
	if name != "" {
		pattern = name
	}
	spec := netstack.LinkSpec{Name: freeName(s, pattern)}
	t, err = s.AddTun(spec, bare, netstack.TunConf{Flags: flags & kept, HeaderSize: netstack.VNetHeaderSize, Owner: cred.NoID, Group: cred.NoID})
	if err != nil {
		return nil, "", err
	}
	return t, spec.Name, t.Attach(f.changed)
}

// mayAttach says whether an interface is its caller's by owner and group.
func mayAttach(t netstack.TunConf, c *cred.Credentials) bool {
	return (t.Owner == cred.NoID || t.Owner == c.EUID) && (t.Group == cred.NoID || t.Group == c.EGID || c.InGroup(t.Group))
}

// freeName puts the first number that is free in the place of "%d". (Linux: net/core/dev.c dev_alloc_name)
func freeName(s *netstack.Stack, pattern string) string {
	if !strings.Contains(pattern, "%d") {
		return pattern
	}
	for n := 0; ; n++ {
		name := strings.Replace(pattern, "%d", strconv.Itoa(n), 1)
		if _, taken := s.InterfaceByName(name); !taken {
			return name
		}
	}
}
