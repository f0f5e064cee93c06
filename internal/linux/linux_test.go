package linux

import (
	"reflect"
	"slices"
	"testing"
)

// TestLayouts compares sizes with those that gcc gives the kernel's structures
// on amd64.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		v    any
		size uintptr
	}{
		{Stat{}, 144}, {StatARM64{}, 128}, {Statx{}, 256}, {Statfs{}, 120}, {Utsname{}, 390}, {Sysinfo{}, 112},
		{Timespec{}, 16}, {Itimerspec{}, 32}, {Timex{}, 208}, {OpenHow{}, 24}, {Iovec{}, 16},
		{SigAction{}, 32}, {StackT{}, 24}, {SigInfo{}, 128}, {Sigevent{}, 64}, {SignalfdSiginfo{}, 128},
		{SigContext64{}, 256}, {UContext64{}, 304}, {FpxSwBytes{}, 48},
		{CloneArgs{}, 88}, {Rusage{}, 144}, {SchedAttr{}, 56}, {Rseq{}, 32}, {RseqCS{}, 32},
		{FutexWaitv{}, 24}, {RobustListHead{}, 24}, {PollFD{}, 8}, {EpollEvent{}, 12}, {EpollEventARM64{}, 16},
		{Flock{}, 32}, {InotifyEvent{}, 16}, {MountAttrArg{}, 32}, {Termios{}, 36}, {Termios2{}, 44}, {Termio{}, 18},
		{CapUserData{}, 12}, {VfsNsCapData{}, 24}, {SeccompData{}, 64}, {SeccompNotif{}, 80}, {SeccompNotifResp{}, 24},
		{SockFilter{}, 8}, {SockFprog{}, 16}, {MsgHdr{}, 56}, {MMsgHdr{}, 64}, {CmsgHdr{}, 16}, {Ucred{}, 12},
		{SockaddrIn{}, 16}, {SockaddrIn6{}, 28}, {SockaddrUn{}, 110}, {SockaddrNl{}, 12}, {SockaddrLl{}, 20}, {SockaddrVM{}, 16},
		{TCPInfo{}, 248}, {InPktinfo{}, 12}, {In6Pktinfo{}, 20}, {SockExtendedErr{}, 16}, {TpacketAuxdata{}, 20},
		{Ifreq{}, 40}, {Ifconf{}, 16}, {Rtentry{}, 120}, {NlMsghdr{}, 16}, {NlMsgerr{}, 20}, {Ifinfomsg{}, 16}, {Ifaddrmsg{}, 8},
		{Rtmsg{}, 12}, {Ndmsg{}, 12}, {RtnlLinkStats64{}, 200}, {InetDiagReqV2{}, 56}, {InetDiagMsg{}, 72}, {UnixDiagReq{}, 24}, {UnixDiagMsg{}, 16},
		{ElfEhdr{}, 64}, {ElfPhdr{}, 56}, {ElfShdr{}, 64}, {ElfSym{}, 24}, {ElfNhdr{}, 12}, {UserRegs{}, 216},
		{IPCPerm{}, 48}, {ShmidDS{}, 112}, {SemidDS{}, 104}, {MsqidDS{}, 120}, {MqAttr{}, 64}, {MsgInfo{}, 32}, {SemInfo{}, 40},
	} {
		ty := reflect.TypeOf(c.v)
		if ty.Size() != c.size {
			t.Errorf("%v has %d bytes, want %d", ty, ty.Size(), c.size)
		}
	}
	if f, _ := reflect.TypeFor[Stat]().FieldByName("Rdev"); f.Offset != 40 {
		t.Errorf("Stat.Rdev at %d, want 40", f.Offset)
	}
	if f, _ := reflect.TypeFor[Statx]().FieldByName("MntID"); f.Offset != 0x90 {
		t.Errorf("Statx.MntID at %#x, want 0x90", f.Offset)
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		v    interface{ String() string }
		want string
	}{
		{O_RDWR | O_CREAT | O_CLOEXEC, "O_RDWR|O_CREAT|O_CLOEXEC"},
		{O_RDONLY, "O_RDONLY"},
		{O_TMPFILE | O_WRONLY, "O_WRONLY|O_TMPFILE"},
		{O_SYNC | 1<<30, "O_RDONLY|O_SYNC|0x40000000"},
		{PROT_NONE, "PROT_NONE"},
		{PROT_READ | PROT_WRITE, "PROT_READ|PROT_WRITE"},
		{MAP_PRIVATE | MAP_ANONYMOUS, "MAP_PRIVATE|MAP_ANONYMOUS"},
		{MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
		{S_IFREG | 0o644, "S_IFREG|0644"},
		{FileMode(0), "0000"},
		{AT_FDCWD, "AT_FDCWD"},
		{FD(3), "3"},
		{SIGKILL, "SIGKILL"},
		{SIGRTMIN + 2, "SIGRT_2"},
		{SigSetOf(SIGINT, SIGHUP), "[HUP INT]"},
		{^SigSetOf(SIGKILL), "~[KILL]"},
		{FUTEX_WAIT | FUTEX_PRIVATE_FLAG, "FUTEX_WAIT_PRIVATE"},
		{FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, "FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME"},
		{SOCK_STREAM | SOCK_CLOEXEC, "SOCK_STREAM|SOCK_CLOEXEC"},
		{SEEK_END, "SEEK_END"},
		{Whence(77), "0x4d"},
		{TIOCGWINSZ, "TIOCGWINSZ"},
		{RTM_NEWLINK, "RTM_NEWLINK"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("%T prints %q, want %q", c.v, got, c.want)
		}
	}
}

func TestErrno(t *testing.T) {
	if ENOENT.Error() != "No such file or directory" || ENOENT.Name() != "ENOENT" {
		t.Errorf("ENOENT is %q, %q", ENOENT.Error(), ENOENT.Name())
	}
	if Errno(4000).Error() != "Unknown error 4000" || Errno(4000).Name() != "4000" {
		t.Errorf("4000 is %q, %q", Errno(4000).Error(), Errno(4000).Name())
	}
	if int64(EPERM.Result()) != -1 {
		t.Errorf("EPERM's result is %d", int64(EPERM.Result()))
	}
	if EWOULDBLOCK != EAGAIN || ENOTSUP != EOPNOTSUPP || EOPNOTSUPP != 95 {
		t.Error("an alias differs")
	}
	if n := testing.AllocsPerRun(100, func() { sinkErr = ENOSYS }); n != 0 {
		t.Errorf("returning an errno allocates %v times", n)
	}
}

var sinkErr error

func TestTimes(t *testing.T) {
	for _, ns := range []int64{0, 1, -1, 1e9, -1e9 - 1, 1<<63 - 1, -1 << 63} {
		ts := TimespecFromNS(ns)
		if ts.Nsec < 0 || ts.Nsec >= 1e9 {
			t.Errorf("%d gives %v", ns, ts)
		}
		if got := ts.ToNS(); got != ns && ns != -1<<63 && ns != 1<<63-1 {
			t.Errorf("%d comes back as %d", ns, got)
		}
	}
	if (Timespec{Sec: 1 << 62}).ToNS() != 1<<63-1 {
		t.Error("a far time does not saturate")
	}
	if (Timespec{Nsec: 1e9}).Valid() || (Timespec{Sec: -1}).Valid() || !(Timespec{Nsec: 999999999}).Valid() {
		t.Error("Valid is wrong")
	}
}

func TestSigInfoOffsets(t *testing.T) {
	var i SigInfo
	i.SetPID(1)
	i.SetUID(2)
	i.SetStatus(3)
	i.SetUtime(4)
	i.SetStime(5)
	if i.Fields[0] != 1 || i.Fields[4] != 2 || i.Fields[8] != 3 || i.Fields[16] != 4 || i.Fields[24] != 5 {
		t.Errorf("SIGCHLD's fields lie wrong: %v", i.Fields[:32])
	}
}

func TestWaitStatus(t *testing.T) {
	if w := WaitExited(3); !w.Exited() || w.ExitStatus() != 3 || w.Signaled() || w.Stopped() {
		t.Errorf("exited: %#x", w)
	}
	if w := WaitSignaled(SIGSEGV, true); !w.Signaled() || !w.CoreDump() || w.TermSignal() != SIGSEGV || w.Exited() {
		t.Errorf("signaled: %#x", w)
	}
	if w := WaitStopped(SIGTSTP); !w.Stopped() || w.StopSignal() != SIGTSTP || w.Signaled() {
		t.Errorf("stopped: %#x", w)
	}
	if !WaitContinued.Continued() || WaitContinued.Exited() || WaitContinued.Signaled() {
		t.Error("continued")
	}
}

func TestSyscallNumbers(t *testing.T) {
	amd, arm, names := map[int]bool{}, map[int]bool{}, []string{}
	for _, s := range SyscallNumbers() {
		if s.AMD64 < 0 || amd[s.AMD64] || s.ARM64 >= 0 && arm[s.ARM64] || slices.Contains(names, s.Name) {
			t.Errorf("row %v repeats or lacks a number", s)
		}
		if s.AMD64 > MaxSyscall || s.ARM64 > MaxSyscall {
			t.Errorf("row %v is above the highest syscall", s)
		}
		amd[s.AMD64] = true
		arm[s.ARM64] = s.ARM64 >= 0
		names = append(names, s.Name)
	}
	if len(names) != 375 {
		t.Errorf("%d syscalls, want 375", len(names))
	}
}

func TestDev(t *testing.T) {
	for _, d := range [][2]uint32{{1, 3}, {0x12345, 0xabcde}, {0, 0}} {
		dev := MakeDev(d[0], d[1])
		if DevMajor(dev) != d[0] || DevMinor(dev) != d[1] {
			t.Errorf("%v becomes %d:%d", d, DevMajor(dev), DevMinor(dev))
		}
	}
	if MakeDev(1, 3) != 0x103 {
		t.Errorf("/dev/null is %#x", MakeDev(1, 3))
	}
}
