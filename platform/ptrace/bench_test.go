package ptrace

import (
	"testing"

	"cordon/platform/platformtest"
)

// BenchmarkPlatform: figures of one run on a machine of 2 CPUs, in ns/op; a busy neighbour doubles them:
//
//	Getpid        5,100   a system call there and back, all registers
//	Getpid2       4,400   the same by two threads at once, per call
//	Fault         8,100   a page fault there and back
//	Map          11,500   Apply of one mapping by the guest's own thread
//	MapOutside   23,500   the same through the leader
//	Space       131,900   NewAddressSpace to Release, as fast as stubs can be made
//	Thread       86,000   a goroutine, its context's first Switch in a space, its end
//	Turns        20,200   two guests that wake each other in turn, per turn
func BenchmarkPlatform(b *testing.B) { platformtest.Bench(b, open) }

// benchCode is where tests' guests have their code.
const benchCode = 0x400000
