package network

import (
	"os"
	"time"

	"cordon/netstack"
	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// maxForwarded bounds the connections that are carried at once for programs of the host; others wait.
const maxForwarded = 1024

// attachLoopback accepts what the host's programs connect to in the network's namespace.
func attachLoopback(s *netstack.Stack, n *boot.Network) {
	if n.Loopback == nil {
		return
	}
	room := make(chan struct{}, maxForwarded)
	for _, place := range n.Loopback.Listeners {
		if fd := n.FD(place); fd >= 0 {
			f := os.NewFile(uintptr(fd), "loopback")
			s.AtEnd(func() { f.Close() })
			go forward(s, f, room)
		}
	}
	// While the link's descriptor is open, the namespace's loopback is not its own.
	if fd := n.FD(n.Loopback.Link); fd >= 0 {
		s.AtEnd(func() { unix.Close(fd) })
	}
}

// forward serves one listening socket.
func forward(s *netstack.Stack, f *os.File, room chan struct{}) {
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	for {
		room <- struct{}{}
		var nfd int
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			nfd, _, failure = unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return failure != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if failure != nil {
			<-room
			time.Sleep(time.Millisecond) // out of descriptors, or a peer that gave up
			continue
		}
		go func() {
			defer func() { <-room }()
			forwardOne(s, nfd)
		}()
	}
}

// forwardOne carries a connection to the port of the sandbox that it was meant for.
func forwardOne(s *netstack.Stack, fd int) {
	sa, err := unix.Getsockname(fd)
	if err == nil {
		var guest netstack.Stream
		if guest, err = s.DialLoopback(addrPort(sa).Port()); err == nil {
			carry(guest, fd)
			return
		}
	}
	// Nobody is there. The handshake is over; a reset is what is left to say so.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}
