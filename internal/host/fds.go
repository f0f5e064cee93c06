package host

import (
	"runtime"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// SendFDs sends bytes and descriptors over a unix socket.
func SendFDs(sock int, b []byte, fds ...int) (int, error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		// sendmsg
		n, err := unix.SendmsgN(sock, b, oob, nil, unix.MSG_NOSIGNAL)
		runtime.KeepAlive(fds)
		if err != unix.EINTR {
			return n, Error(err)
		}
	}
}

// RecvFDs receives bytes and at most maxFDs descriptors, to be closed on exec.
// Zero bytes of a stream are its end. Descriptors that do not fit make it fail,
// after all that came are closed. It returns EINTR.
func RecvFDs(sock int, b []byte, maxFDs int) (n int, fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*max(maxFDs, 1)))
	// recvmsg
	n, oobn, flags, _, err := unix.Recvmsg(sock, b, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, nil, Error(err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	if err != nil || flags&unix.MSG_CTRUNC != 0 || len(fds) > maxFDs {
		for _, fd := range fds {
			_ = Close(fd)
		}
		return 0, nil, linux.EPROTO
	}
	return n, fds, nil
}
