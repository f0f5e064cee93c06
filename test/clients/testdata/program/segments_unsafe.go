package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// segments lists the identifiers of shared memory.
func segments() {
	const shmStat, shmInfo = 13, 14 // linux/shm.h
	var buf [256]byte
	last, _, errno := syscall.Syscall(syscall.SYS_SHMCTL, 0, shmInfo, uintptr(unsafe.Pointer(&buf)))
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "shmctl:", errno)
		os.Exit(1)
	}
	for i := range last + 1 {
		if id, _, errno := syscall.Syscall(syscall.SYS_SHMCTL, i, shmStat, uintptr(unsafe.Pointer(&buf))); errno == 0 {
			fmt.Printf("0x00000000 %d\n", id)
		}
	}
}
