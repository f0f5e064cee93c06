package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Published is a port of the host that leads to one of the guest's.
type Published struct {
	Host  netip.AddrPort `json:"host"` // an invalid address is any
	Guest uint16         `json:"guest"`
	UDP   bool           `json:"udp,omitempty"`
}

// ParsePublished reads [ADDRESS:]HOST:GUEST[/tcp|/udp].
func ParsePublished(s string) (Published, error) {
	var p Published
	spec, proto, ok := strings.Cut(s, "/")
	switch {
	case ok && proto == "udp":
		p.UDP = true
	case ok && proto != "tcp":
		return p, fmt.Errorf("%q: %q is neither tcp nor udp", s, proto)
	}
	i := strings.LastIndexByte(spec, ':')
	if i < 0 {
		return p, fmt.Errorf("%q: expected [ADDRESS:]HOST:GUEST", s)
	}
	guest, err := strconv.ParseUint(spec[i+1:], 10, 16)
	if err != nil || guest == 0 {
		return p, fmt.Errorf("%q: %q is no port", s, spec[i+1:])
	}
	addr, port := "", spec[:i]
	if j := strings.LastIndexByte(port, ':'); j >= 0 {
		addr, port = strings.Trim(port[:j], "[]"), port[j+1:]
	}
	host, err := strconv.ParseUint(port, 10, 16)
	if err != nil || host == 0 {
		return p, fmt.Errorf("%q: %q is no port", s, port)
	}
	ip := netip.Addr{}
	if addr != "" {
		if ip, err = netip.ParseAddr(addr); err != nil {
			return p, fmt.Errorf("%q: %q is no address", s, addr)
		}
	}
	p.Host, p.Guest = netip.AddrPortFrom(ip, uint16(host)), uint16(guest)
	return p, nil
}

// backlog is Linux's default of net.core.somaxconn.
const backlog = 4096

// listen opens the host's socket of a published port.
func (p *Published) listen() (fd int, err error) {
	addrs := []netip.Addr{p.Host.Addr()}
	if !p.Host.Addr().IsValid() {
		addrs = []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()} // both families, or without IPv6 the one
	}
	for _, a := range addrs {
		if fd, err = p.listenOn(netip.AddrPortFrom(a, p.Host.Port())); err == nil || errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return -1, fmt.Errorf("port %d of the host: %w", p.Host.Port(), err)
	}
	return fd, nil
}

func (p *Published) listenOn(a netip.AddrPort) (int, error) {
	typ := unix.SOCK_STREAM
	if p.UDP {
		typ = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(familyOf(a.Addr()), typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = func() error {
		if !p.UDP {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return err
			}
		}
		if a.Addr() == netip.IPv6Unspecified() {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
				return err
			}
		}
		if err := unix.Bind(fd, sockaddr(a)); err != nil || p.UDP {
			return err
		}
		return unix.Listen(fd, backlog)
	}()
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// publish serves one published port.
func (b *broker) publish(p *Published, fd int) {
	if unix.SetNonblock(fd, true) != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "port")
	defer f.Close()
	if p.UDP {
		b.publishDatagrams(p, f)
		return
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	for {
		var nfd int
		var from unix.Sockaddr
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			nfd, from, failure = unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return failure != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if failure != nil {
			time.Sleep(time.Millisecond) // out of descriptors, or a peer that gave up
			continue
		}
		m := message{Op: opInbound, From: addrPort(from), To: netip.AddrPortFrom(netip.Addr{}, p.Guest), FD: nfd}
		err = b.channel.send(&m)
		unix.Close(nfd)
		if err != nil {
			return
		}
	}
}

// publishDatagrams keeps a flow for each peer.
func (b *broker) publishDatagrams(p *Published, f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	var mu sync.Mutex
	flows := make(map[netip.AddrPort]side)
	buf := new(datagramBuffer)
	for {
		var n int
		var sa unix.Sockaddr
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			n, sa, failure = unix.Recvfrom(int(fd), buf[1:], 0)
			return failure != unix.EAGAIN && failure != unix.EINTR
		})
		if err != nil {
			return
		}
		if failure != nil {
			continue
		}
		from := addrPort(sa)
		mu.Lock()
		ours, known := flows[from]
		full := len(flows) >= maxFlows
		mu.Unlock()
		if !known && full {
			continue
		}
		if !known {
			if ours, err = b.arrive(p, from); err != nil {
				continue
			}
			mu.Lock()
			flows[from] = ours
			mu.Unlock()
			go func() {
				answerPeer(conn, ours, sa)
				mu.Lock()
				delete(flows, from)
				mu.Unlock()
				ours.f.Close()
			}()
		}
		ours.f.SetReadDeadline(time.Now().Add(flowIdle))
		ours.write(buf, n) // or it is lost
	}
}

// arrive tells the Sentry of a new peer.
func (b *broker) arrive(p *Published, from netip.AddrPort) (side, error) {
	ours, theirs, err := datagramPair()
	if err != nil {
		return side{}, err
	}
	err = b.channel.send(&message{Op: opArrived, From: from, To: netip.AddrPortFrom(netip.Addr{}, p.Guest), FD: theirs})
	unix.Close(theirs)
	if err != nil {
		ours.f.Close()
	}
	return ours, err
}

// answerPeer sends what the guest says to one peer.
func answerPeer(host syscall.RawConn, ours side, to unix.Sockaddr) {
	buf := new(datagramBuffer)
	for {
		n, err := ours.read(buf)
		if err != nil || n < 0 {
			return
		}
		ours.f.SetReadDeadline(time.Now().Add(flowIdle))
		// A datagram that cannot be sent is lost, as any may be.
		host.Write(func(fd uintptr) bool { return unix.Sendto(int(fd), buf[1:1+n], 0, to) != unix.EAGAIN })
	}
}
