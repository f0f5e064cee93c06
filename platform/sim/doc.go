// Package sim runs Go functions as guest programs, inside the process that
// tests the Sentry: no host threads, no privileges, no machine code.
//
// # Objects
//
// A Platform has a Text: Go functions at guest addresses. A function is one
// instruction of a made-up processor. It reads and writes the registers and,
// through them, guest memory; it names its successor in RIP, and may end with a
// system call. So all that a guest thread is stands in its registers and its
// memory, exactly as on hardware: fork, signal frames, restarts, exec and a
// checkpoint between any two instructions need no help from here. What a
// function keeps in Go variables is lost when it returns.
//
// A function that touches memory it may not touch is abandoned there: Switch
// reports the fault with the registers as they were before the instruction, and
// it runs again from its start when the Sentry has repaired the mapping. It
// must therefore stand a repetition of its writes (as any instruction with
// several stores does).
//
// Functions stand 16 bytes apart. The two bytes before each are a system call
// instruction of their own, which is where the Sentry's restarts (RIP less two)
// lead.
//
// # Schedule
//
// One task runs at a time, in the guest's code and in the Sentry's, from its
// start to its end: the Platform is the tasks' Turn. The turn changes hands when
// a task sleeps, stops or ends, before each system call, and after a drawn
// number of instructions, so that spinning guests go on too. Who is next is
// drawn from a seed among those that can go on; when somebody has been woken is
// known at once, and not when its goroutine notices. So a seed gives one order
// of everything, as long as nothing comes from outside.
//
// Time goes on by a fixed step for each instruction and each call, and, when no
// task can go on, to the next alarm. It stands still while tasks are frozen.
//
// Config.BeforeSyscall is called, with everything else stopped at an
// instruction's border, before each system call is reported: the place from
// which a test saves and restores.
//
// # Differences
//
// There is no extended state but what SetFPU was given, and host files are read
// and written by pread and pwrite, so an access beyond the end is found here.
package sim
