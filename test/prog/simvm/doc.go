// Package simvm is the interpreter of test/prog's images as instructions of
// platform/sim: what interp/vm.c is natively. Each of the image's instructions
// is one instruction of the made-up processor, and all state is in registers
// and guest memory:
//
//	RBX     where the program is
//	FSBase  the task's slot of the trace
//	R12-R15 what a sequence of system calls must remember
//
// An instruction that faults runs again from its start, so each does first what
// may be done twice, and last, in memory it has just touched, what may not.
package simvm
