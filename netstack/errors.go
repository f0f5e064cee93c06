package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip"

	"cordon/internal/linux"
)

// errnoOf turns a tcpip error into the errno Linux returns for it. It is the one place where that is decided. nil gives
// nil. ErrClosedForReceive is the end of a stream and no failure; readers handle it before they come here, anywhere else
// it means that the descriptor is shut down.
func errnoOf(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return toErrno(err)
}

func toErrno(err tcpip.Error) linux.Errno {
	switch err.(type) {
	case *tcpip.ErrWouldBlock:
		return linux.EAGAIN
	case *tcpip.ErrConnectStarted:
		return linux.EINPROGRESS
	case *tcpip.ErrAlreadyConnecting:
		return linux.EALREADY
	case *tcpip.ErrAlreadyConnected:
		return linux.EISCONN
	case *tcpip.ErrNotConnected:
		return linux.ENOTCONN
	case *tcpip.ErrConnectionRefused:
		return linux.ECONNREFUSED
	case *tcpip.ErrConnectionReset:
		return linux.ECONNRESET
	case *tcpip.ErrConnectionAborted:
		return linux.ECONNABORTED
	case *tcpip.ErrTimeout:
		return linux.ETIMEDOUT
	case *tcpip.ErrAborted, *tcpip.ErrClosedForSend, *tcpip.ErrClosedForReceive:
		return linux.EPIPE
	case *tcpip.ErrBadAddress, *tcpip.ErrBadBuffer:
		return linux.EFAULT
	}
	if e, ok := addressErrno(err); ok {
		return e
	}
	return setupErrno(err)
}

// addressErrno has the errors of naming and reaching a peer.
func addressErrno(err tcpip.Error) (linux.Errno, bool) {
	switch err.(type) {
	case *tcpip.ErrAddressFamilyNotSupported:
		return linux.EAFNOSUPPORT, true
	case *tcpip.ErrBadLocalAddress:
		return linux.EADDRNOTAVAIL, true
	case *tcpip.ErrPortInUse, *tcpip.ErrNoPortAvailable:
		return linux.EADDRINUSE, true
	case *tcpip.ErrBroadcastDisabled:
		return linux.EACCES, true
	case *tcpip.ErrDestinationRequired:
		return linux.EDESTADDRREQ, true
	case *tcpip.ErrNetworkUnreachable:
		return linux.ENETUNREACH, true
	case *tcpip.ErrHostUnreachable:
		return linux.EHOSTUNREACH, true
	case *tcpip.ErrHostDown:
		return linux.EHOSTDOWN, true
	case *tcpip.ErrNoNet:
		return linux.ENONET, true
	case *tcpip.ErrMessageTooLong:
		return linux.EMSGSIZE, true
	case *tcpip.ErrNoBufferSpace:
		return linux.ENOBUFS, true
	case *tcpip.ErrNotPermitted:
		return linux.EPERM, true
	}
	return 0, false
}

// setupErrno has the errors of options, interfaces and the state of an endpoint. EINVAL is what Linux says to most misuse.
func setupErrno(err tcpip.Error) linux.Errno {
	switch err.(type) {
	case *tcpip.ErrDuplicateAddress, *tcpip.ErrDuplicateNICID:
		return linux.EEXIST
	case *tcpip.ErrUnknownDevice, *tcpip.ErrUnknownNICID, *tcpip.ErrInvalidNICID:
		return linux.ENODEV
	case *tcpip.ErrNoSuchFile:
		return linux.ENOENT
	case *tcpip.ErrNotSupported:
		return linux.EOPNOTSUPP
	case *tcpip.ErrQueueSizeNotSupported:
		return linux.ENOTTY
	case *tcpip.ErrUnknownProtocol:
		return linux.EPROTONOSUPPORT
	case *tcpip.ErrUnknownProtocolOption:
		return linux.ENOPROTOOPT
	case *tcpip.ErrEndpointBusy:
		return linux.EBUSY
	case *tcpip.ErrAlreadyBound, *tcpip.ErrInvalidEndpointState, *tcpip.ErrInvalidOptionValue, *tcpip.ErrInvalidPortRange,
		*tcpip.ErrMalformedHeader, *tcpip.ErrMissingRequiredFields, *tcpip.ErrMulticastInputCannotBeOutput:
		return linux.EINVAL
	}
	// A new version of tcpip brought an error this table does not know; the test reads their list. A guest must still get
	// an answer.
	return linux.EINVAL
}
