// Package ktime has the Sentry's clocks and timers.
//
// # Objects
//
// A Clock tells nanoseconds and makes Alarms, the one-shot wake-ups below
// everything that waits for time. Clocks is the set of a sandbox: NewHost's
// follow the host, NewVirtual's move only when a test says so. A Timer is what
// timerfd, POSIX timers, interval timers and sleeps are made of: it keeps a
// setting (deadline and interval) and counts expirations.
//
// A Timer does not tick. It fires once and then rests until its owner calls
// Take, which counts what has expired since and arms the next period: as in
// Linux, where a timer whose signal is pending, or whose descriptor nobody
// reads, costs nothing. An idle sandbox with a thousand periodic timers that
// nobody looks at uses no CPU.
//
// Stamp is what files take their times from: CLOCK_REALTIME by the processor's
// counter, as guests read it, without asking the host.
//
// # Locking
//
// Each Timer has its own lock (rank Timer); alarms of host clocks sit in the Go
// runtime's timer heaps, one per processor, so unrelated sleepers share no lock.
// A Timer's listener is called without any lock of this package.
//
// # Checkpoint
//
// Saved: the settings of timers, as absolute times of their clock, and what the
// clocks told at that moment. After a restore CLOCK_MONOTONIC goes on from
// there, so deadlines stand; CLOCK_REALTIME tells the host's time again. Between
// RestoreHost and Start nothing expires: loading an image takes no time.
//
// # Differences
//
// CLOCK_BOOTTIME alarms do not wake at the right time when the host was
// suspended in between (they are late by the suspension at most once), and the
// coarse clocks are as fine as the others. A host administrator who steps the
// wall clock forward delays absolute CLOCK_REALTIME timers that are already
// armed; clock_settime(2) inside the sandbox does not.
package ktime
