package linux

// PollEvents are the events of poll(2).
type PollEvents uint16

const (
	POLLIN     PollEvents = 0x1
	POLLPRI    PollEvents = 0x2
	POLLOUT    PollEvents = 0x4
	POLLERR    PollEvents = 0x8
	POLLHUP    PollEvents = 0x10
	POLLNVAL   PollEvents = 0x20
	POLLRDNORM PollEvents = 0x40
	POLLRDBAND PollEvents = 0x80
	POLLWRNORM PollEvents = 0x100
	POLLWRBAND PollEvents = 0x200
	POLLMSG    PollEvents = 0x400
	POLLREMOVE PollEvents = 0x1000
	POLLRDHUP  PollEvents = 0x2000
)

var pollEventsNames = [...]bitName{
	{uint64(POLLIN), "POLLIN"},
	{uint64(POLLPRI), "POLLPRI"},
	{uint64(POLLOUT), "POLLOUT"},
	{uint64(POLLERR), "POLLERR"},
	{uint64(POLLHUP), "POLLHUP"},
	{uint64(POLLNVAL), "POLLNVAL"},
	{uint64(POLLRDNORM), "POLLRDNORM"},
	{uint64(POLLRDBAND), "POLLRDBAND"},
	{uint64(POLLWRNORM), "POLLWRNORM"},
	{uint64(POLLWRBAND), "POLLWRBAND"},
	{uint64(POLLMSG), "POLLMSG"},
	{uint64(POLLREMOVE), "POLLREMOVE"},
	{uint64(POLLRDHUP), "POLLRDHUP"},
}

func (f PollEvents) String() string { return formatBits(uint64(f), pollEventsNames[:]) }

// PollFD is struct pollfd, 8 bytes.
type PollFD struct {
	FD      FD
	Events  PollEvents
	Revents PollEvents
}

// EpollEvents are the events and the input flags of epoll_ctl(2). The low bits
// are those of PollEvents.
type EpollEvents uint32

const (
	EPOLLIN        EpollEvents = 0x1
	EPOLLPRI       EpollEvents = 0x2
	EPOLLOUT       EpollEvents = 0x4
	EPOLLERR       EpollEvents = 0x8
	EPOLLHUP       EpollEvents = 0x10
	EPOLLNVAL      EpollEvents = 0x20
	EPOLLRDNORM    EpollEvents = 0x40
	EPOLLRDBAND    EpollEvents = 0x80
	EPOLLWRNORM    EpollEvents = 0x100
	EPOLLWRBAND    EpollEvents = 0x200
	EPOLLMSG       EpollEvents = 0x400
	EPOLLRDHUP     EpollEvents = 0x2000
	EPOLLEXCLUSIVE EpollEvents = 0x10000000
	EPOLLWAKEUP    EpollEvents = 0x20000000
	EPOLLONESHOT   EpollEvents = 0x40000000
	EPOLLET        EpollEvents = 0x80000000
)

var epollEventsNames = [...]bitName{
	{uint64(EPOLLIN), "EPOLLIN"},
	{uint64(EPOLLPRI), "EPOLLPRI"},
	{uint64(EPOLLOUT), "EPOLLOUT"},
	{uint64(EPOLLERR), "EPOLLERR"},
	{uint64(EPOLLHUP), "EPOLLHUP"},
	{uint64(EPOLLNVAL), "EPOLLNVAL"},
	{uint64(EPOLLRDNORM), "EPOLLRDNORM"},
	{uint64(EPOLLRDBAND), "EPOLLRDBAND"},
	{uint64(EPOLLWRNORM), "EPOLLWRNORM"},
	{uint64(EPOLLWRBAND), "EPOLLWRBAND"},
	{uint64(EPOLLMSG), "EPOLLMSG"},
	{uint64(EPOLLRDHUP), "EPOLLRDHUP"},
	{uint64(EPOLLEXCLUSIVE), "EPOLLEXCLUSIVE"},
	{uint64(EPOLLWAKEUP), "EPOLLWAKEUP"},
	{uint64(EPOLLONESHOT), "EPOLLONESHOT"},
	{uint64(EPOLLET), "EPOLLET"},
}

func (f EpollEvents) String() string { return formatBits(uint64(f), epollEventsNames[:]) }

// EpollEvent is struct epoll_event: packed to 12 bytes on amd64, which Go
// expresses by splitting the data. arm64 pads Events to 8 bytes: EpollEventARM64.
type EpollEvent struct {
	Events EpollEvents
	Data   [2]uint32
}

// EpollEventARM64 is struct epoll_event of the generic ABI, 16 bytes.
type EpollEventARM64 struct {
	Events EpollEvents
	_      int32
	Data   [2]uint32
}

// EPOLL_MAX_NESTS is how deep epoll descriptors may watch one another.
const EPOLL_MAX_NESTS = 4

// EpollParams is struct epoll_params of the EPIOCSPARAMS and EPIOCGPARAMS ioctls.
type EpollParams struct {
	BusyPollUsecs  uint32
	BusyPollBudget uint16
	PreferBusyPoll uint8
	_              uint8
}

// EpollOp is an operation of epoll_ctl(2).
type EpollOp int32

const (
	EPOLL_CTL_ADD EpollOp = 1
	EPOLL_CTL_DEL EpollOp = 2
	EPOLL_CTL_MOD EpollOp = 3
)

var epollOpNames = [...]enumName{
	{int64(EPOLL_CTL_ADD), "EPOLL_CTL_ADD"},
	{int64(EPOLL_CTL_DEL), "EPOLL_CTL_DEL"},
	{int64(EPOLL_CTL_MOD), "EPOLL_CTL_MOD"},
}

func (f EpollOp) String() string { return formatEnum(int64(f), epollOpNames[:]) }

// EpollFlags are the flags of epoll_create1(2).
type EpollFlags int32

const (
	EPOLL_CLOEXEC EpollFlags = 0x80000
)

var epollFlagsNames = [...]bitName{
	{uint64(EPOLL_CLOEXEC), "EPOLL_CLOEXEC"},
}

func (f EpollFlags) String() string { return formatBits(uint64(uint32(f)), epollFlagsNames[:]) }

// EventfdFlags are the flags of eventfd2(2).
type EventfdFlags int32

const (
	EFD_SEMAPHORE EventfdFlags = 0x1
	EFD_CLOEXEC   EventfdFlags = 0x80000
	EFD_NONBLOCK  EventfdFlags = 0x800
)

var eventfdFlagsNames = [...]bitName{
	{uint64(EFD_SEMAPHORE), "EFD_SEMAPHORE"},
	{uint64(EFD_CLOEXEC), "EFD_CLOEXEC"},
	{uint64(EFD_NONBLOCK), "EFD_NONBLOCK"},
}

func (f EventfdFlags) String() string { return formatBits(uint64(uint32(f)), eventfdFlagsNames[:]) }

// FD_SETSIZE is the number of bits in glibc's fd_set; the kernel has no such limit.
const FD_SETSIZE = 1024
