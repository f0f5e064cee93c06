package cli

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"cordon/runsc/control"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

// firstPassed is the first descriptor that a caller can pass on, here and inside.
const firstPassed = 3

// keepDescriptors notes the descriptors that the caller left open, and has the
// processes that a command starts get those that they are given and no others. A
// kernel without CLOSE_RANGE_CLOEXEC (before Linux 5.11) passes them on.
func (g *globals) keepDescriptors() {
	g.inherited = map[int]bool{}
	names, _ := os.ReadDir("/proc/self/fd") // without it nothing can be passed on
	for _, n := range names {
		fd, err := strconv.Atoi(n.Name())
		if err != nil || fd < firstPassed {
			continue
		}
		// Our own close at an exec.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			g.inherited[fd] = true
		}
	}
	_ = unix.CloseRange(firstPassed, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
}

// A passing is what --preserve-fds and the sockets of an activation come to.
type passing struct {
	files []*os.File
	env   []string // for the program
}

func (p *passing) close() {
	for _, f := range p.files {
		f.Close()
	}
}

// pass takes what the caller passes on: the sockets that an activation left (as
// sd_listen_fds(3)), then count further descriptors.
func (g *globals) pass(count int, activation bool) (*passing, error) {
	p := &passing{}
	if count < 0 {
		return nil, fmt.Errorf("--preserve-fds: %d is below 0", count)
	}
	listening := 0
	if activation && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		listening, _ = strconv.Atoi(os.Getenv("LISTEN_FDS")) // of others' making: as if there were none
	}
	if listening > 0 {
		p.env = []string{"LISTEN_FDS=" + strconv.Itoa(listening), "LISTEN_PID=1"}
	}
	total := max(listening, 0) + count
	if listening > control.MaxPassed || total > control.MaxPassed {
		return nil, fmt.Errorf("--preserve-fds: at most %d descriptors can be passed on", control.MaxPassed)
	}
	for i := range total {
		fd := firstPassed + i
		if !g.inherited[fd] {
			p.close()
			return nil, fmt.Errorf("--preserve-fds: descriptor %d is not open", fd)
		}
		if err := passable(fd, activation); err != nil {
			p.close()
			return nil, fmt.Errorf("--preserve-fds: descriptor %d: %w", fd, err)
		}
		p.files = append(p.files, os.NewFile(uintptr(fd), "passed"))
	}
	return p, nil
}

// add gives a sandbox that is to be made what is passed on.
func (p *passing) add(c *sandbox.Config) {
	c.Passed = p.files
	c.Spec.Process.Env = append(c.Spec.Process.Env, p.env...)
}

// passable refuses what the sandbox cannot let a guest have: what leads to further
// files of the host, and devices other than those every container has. whole says
// that sockets will be sockets inside.
func passable(fd int, whole bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil {
		return err
	} else if flags&unix.O_PATH != 0 {
		return fmt.Errorf("it is a place only (O_PATH)")
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFIFO:
		return nil
	case unix.S_IFSOCK:
		return passableSocket(fd, whole)
	case unix.S_IFCHR:
		return passableDevice(fd, st.Rdev)
	case unix.S_IFDIR:
		return fmt.Errorf("a directory cannot be passed on; mount it")
	case unix.S_IFBLK:
		return fmt.Errorf("a block device cannot be passed on")
	}
	name, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return fmt.Errorf("%s cannot be passed on", name)
}

func isSocket(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeSocket != 0
}

func passableSocket(fd int, whole bool) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	inet := domain == unix.AF_INET || domain == unix.AF_INET6
	known := typ == unix.SOCK_STREAM || typ == unix.SOCK_DGRAM || typ == unix.SOCK_SEQPACKET && !inet
	if !inet && domain != unix.AF_UNIX || !known {
		return fmt.Errorf("a socket of family %d and type %d cannot be passed on", domain, typ)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listening != 0 && !whole {
		return fmt.Errorf("a listening socket can be passed on to the first process of a sandbox only")
	}
	return err
}

// passableDevice knows terminals, and the memory devices of every container.
func passableDevice(fd int, rdev uint64) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		return nil
	}
	const memory = 1
	if unix.Major(rdev) == memory {
		switch unix.Minor(rdev) {
		case 3, 5, 7, 8, 9: // null, zero, full, random, urandom
			return nil
		}
	}
	return fmt.Errorf("the device %d:%d cannot be passed on", unix.Major(rdev), unix.Minor(rdev))
}
