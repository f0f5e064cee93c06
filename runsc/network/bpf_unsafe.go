package network

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bpf(2)'s attributes, as far as they are set here.
type (
	bpfMapCreate struct{ mapType, keySize, valueSize, maxEntries, flags uint32 }
	bpfMapUpdate struct {
		mapFD, _   uint32
		key, value uint64
		flags      uint64
	}
	bpfProgLoad struct {
		progType, insnCount          uint32
		insns, license               uint64
		logLevel, logSize            uint32
		logBuf                       uint64
		kernVersion, flags           uint32
		name                         [16]byte
		ifindex, expectedAttachPoint uint32
	}
	bpfLinkCreate struct{ progFD, targetFD, attachType, flags uint32 }
)

func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EAGAIN, unix.EINTR: // the verifier was interrupted
		default:
			return -1, errno
		}
	}
}

// socketMap makes a map of sockets with the places' numbers as keys.
func socketMap(places int) (int, error) {
	a := bpfMapCreate{mapType: unix.BPF_MAP_TYPE_SOCKMAP, keySize: 4, valueSize: 4, maxEntries: uint32(places)}
	return bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&a), unsafe.Sizeof(a))
}

// setSocket puts a socket into a place of a map.
func setSocket(m int, place uint32, socket int) error {
	value := uint32(socket)
	a := bpfMapUpdate{mapFD: uint32(m), key: uint64(uintptr(unsafe.Pointer(&place))), value: uint64(uintptr(unsafe.Pointer(&value)))}
	_, err := bpf(unix.BPF_MAP_UPDATE_ELEM, unsafe.Pointer(&a), unsafe.Sizeof(a))
	runtime.KeepAlive(&place)
	runtime.KeepAlive(&value)
	return err
}

// loadLookup loads a program that chooses sockets for connections.
func loadLookup(insns []bpfInsn) (int, error) {
	license := [...]byte{0} // no helper asks for one
	a := bpfProgLoad{progType: unix.BPF_PROG_TYPE_SK_LOOKUP, expectedAttachPoint: unix.BPF_SK_LOOKUP,
		insnCount: uint32(len(insns)), insns: uint64(uintptr(unsafe.Pointer(&insns[0]))), license: uint64(uintptr(unsafe.Pointer(&license)))}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&a), unsafe.Sizeof(a))
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL) {
		log := make([]byte, 16<<10)
		a.logLevel, a.logSize, a.logBuf = 1, uint32(len(log)), uint64(uintptr(unsafe.Pointer(&log[0])))
		if fd, err2 := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&a), unsafe.Sizeof(a)); err2 == nil {
			return fd, nil
		}
		err = fmt.Errorf("%w: %s", err, unix.ByteSliceToString(log))
		runtime.KeepAlive(log)
	}
	runtime.KeepAlive(insns)
	runtime.KeepAlive(&license)
	return fd, err
}

// attachLookup has a program asked in a network namespace until the link that it returns is closed.
func attachLookup(prog, netns int) (int, error) {
	a := bpfLinkCreate{progFD: uint32(prog), targetFD: uint32(netns), attachType: unix.BPF_SK_LOOKUP}
	return bpf(unix.BPF_LINK_CREATE, unsafe.Pointer(&a), unsafe.Sizeof(a))
}
