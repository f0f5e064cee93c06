package stub

import (
	"encoding/binary"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"cordon/platform"
)

// Commands to a zygote: a word and its argument. The answer is one word, negative
// for an error; a new stub answers a fork itself.
const (
	commandFork   = 1 // arg is the zygote's business
	commandDonate = 2 // with a descriptor; answers its number
	commandClose  = 3 // of descriptor arg
)

// receivePatience is after how many microseconds without an answer the Sentry
// looks whether the zygote is alive.
const receivePatience = 50_000

// A Zygote is the process that stubs are forked from: a tiny static program.
type Zygote struct {
	// immutable
	pid  int
	peer uint64 // the zygote's descriptor of its socket

	// guarded by mu: one command is under way at a time.
	mu     sync.Mutex
	socket int

	// guarded by filesMu, and changed with mu held too: the descriptor table that
	// the stubs share.
	filesMu sync.RWMutex
	files   map[uint64]int32 // HostFile.ID to the stubs' descriptor
}

// StartZygote starts the process that stubs are forked from, as a child of the
// calling process with its user and group ids, namespaces and root, but with no
// capabilities, no descriptors and a filter of its own. It is called before the
// caller gives up its right to execute files; the caller's user ids must not
// change afterwards, or tracing is refused. No other code may wait for "any child".
//
// build makes the image to execute, which is told its descriptor of the socket
// and answers its first word, 0, when it is ready; nil is an error.
func StartZygote(build func(socket uint64) []byte) (*Zygote, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	pid, err := startImage(build(uint64(pair[1])), pair[1])
	unix.Close(pair[1])
	if err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	z := &Zygote{pid: pid, peer: uint64(pair[1]), socket: pair[0], files: map[uint64]int32{}}
	// The kernel's word for who answers: a new stub's hello carries its pid.
	if err := unix.SetsockoptInt(z.socket, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		z.Stop()
		return nil, err
	}
	wait := unix.Timeval{Usec: receivePatience}
	if err := unix.SetsockoptTimeval(z.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		z.Stop()
		return nil, err
	}
	result, _, errno := z.receive()
	if errno == 0 && result < 0 {
		errno = unix.Errno(-result)
	}
	if errno != 0 {
		z.Stop()
		return nil, errno
	}
	return z, nil
}

// startImage writes the image to a memfd and executes it.
func startImage(elf []byte, socket int) (pid int, err error) {
	if elf == nil {
		return 0, unix.ENOEXEC
	}
	const mfdExec = 0x10
	fd, err := unix.MemfdCreate("cordon-stub", unix.MFD_CLOEXEC|mfdExec)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("cordon-stub", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if n, err := unix.Write(fd, elf); err != nil || n != len(elf) {
		return 0, unix.EIO
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, errno := runImage(fd, socket)
	if errno != 0 {
		return 0, errno
	}
	return pid, nil
}

// Stop ends the zygote, and by their parent-death signal every stub.
func (z *Zygote) Stop() {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.socket < 0 {
		return
	}
	unix.Close(z.socket)
	z.socket = -1
	unix.Kill(z.pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(z.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// receive reads one answer: its word and the process that sent it.
func (z *Zygote) receive() (result int64, pid int32, errno unix.Errno) {
	var word [8]byte
	var control [64]byte
	var n, cn int
	var err error
	for {
		n, cn, _, _, err = unix.Recvmsg(z.socket, word[:], control[:], unix.MSG_CMSG_CLOEXEC)
		// Stubs have the zygote's end of the socket too, so its death closes
		// nothing as long as one of them lives.
		if err == unix.EAGAIN && z.dead() {
			break
		}
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	if err != nil {
		return 0, 0, err.(unix.Errno)
	}
	if n != len(word) {
		return 0, 0, unix.EPIPE
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil {
		return 0, 0, unix.EPROTO
	}
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			pid = cred.Pid
		}
	}
	return int64(binary.LittleEndian.Uint64(word[:])), pid, 0
}

// dead says whether the zygote has ended; Stop collects it.
func (z *Zygote) dead() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, z.pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// callLocked sends a command and reads its answer.
func (z *Zygote) callLocked(command, arg uint32, rights []byte) (int64, int32, unix.Errno) {
	if z.socket < 0 {
		return 0, 0, unix.EPIPE
	}
	var word [8]byte
	binary.LittleEndian.PutUint32(word[0:], command)
	binary.LittleEndian.PutUint32(word[4:], arg)
	for {
		err := unix.Sendmsg(z.socket, word[:], rights, nil, unix.MSG_NOSIGNAL)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return 0, 0, err.(unix.Errno)
		}
	}
	result, pid, errno := z.receive()
	if errno == 0 && result < 0 {
		errno = unix.Errno(-result)
	}
	return result, pid, errno
}

// Fork returns the pid of a new stub.
func (z *Zygote) Fork(arg uint32) (int32, unix.Errno) {
	z.mu.Lock()
	defer z.mu.Unlock()
	_, pid, errno := z.callLocked(commandFork, arg, nil)
	if errno == 0 && (pid <= 0 || int(pid) == z.pid) {
		errno = unix.EPROTO
	}
	return pid, errno
}

// Descriptor returns the stubs' descriptor for f, donating it at its first use.
func (z *Zygote) Descriptor(f platform.HostFile) (int32, unix.Errno) {
	if fd, ok := z.donated(f); ok { // while a stub is being made
		return fd, 0
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if fd, ok := z.donated(f); ok {
		return fd, 0
	}
	fd, _, errno := z.callLocked(commandDonate, 0, unix.UnixRights(int(f.FD)))
	if errno != 0 {
		return 0, errno
	}
	z.filesMu.Lock()
	z.files[f.ID] = int32(fd)
	z.filesMu.Unlock()
	return int32(fd), 0
}

func (z *Zygote) donated(f platform.HostFile) (int32, bool) {
	z.filesMu.RLock()
	defer z.filesMu.RUnlock()
	fd, ok := z.files[f.ID]
	return fd, ok
}

// Forget closes the stubs' descriptor for f, if there is one.
func (z *Zygote) Forget(f platform.HostFile) {
	z.mu.Lock()
	defer z.mu.Unlock()
	fd, ok := z.donated(f)
	if !ok {
		return
	}
	z.filesMu.Lock()
	delete(z.files, f.ID)
	z.filesMu.Unlock()
	z.callLocked(commandClose, uint32(fd), nil)
}

// PID returns the zygote's process number.
func (z *Zygote) PID() int { return z.pid }

// Peer returns the zygote's descriptor of its socket.
func (z *Zygote) Peer() uint64 { return z.peer }
