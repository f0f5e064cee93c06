// Package devpts is pseudo-terminals (pty(7), termios(3)) and the file system
// that shows them (devpts).
//
// # Objects
//
// A FileSystem has a numbered pair for each terminal. Opening ptmx makes a pair
// and its Master; /dev/pts/N opens a Slave of it. A pair holds the line
// discipline, N_TTY: what the master writes is input, edited, echoed and turned
// into signals; what slaves write is output, on its way to the master.
//
//	Master.Write -> input (lines or bytes) -> Slave.Read
//	                  | echo
//	                  v
//	Master.Read  <- output  <- processing <- Slave.Write
//
// # Locking
//
// One lock per pair (rank TTY) for all of it. Bytes are copied from and to guest
// memory a piece at a time without it. Signals and wake-ups that it gives rise
// to are noted and done after the lock has been let go (pair.unlock).
//
// # Lifetimes
//
// A pair lives while its Master is open; then its name goes, its slaves are hung
// up, and the session on it gets SIGHUP. A slave that was hung up reads the end
// of the file and fails with EIO otherwise.
//
// # Checkpoint
//
// Saved: settings, buffers, session and foreground group, by pair.
//
// # Differences
//
// The buffers are larger than Linux's (outputSize, inputSize), so more fits
// before a write waits. Baud rates, modem lines and serial settings are kept and
// shown but mean nothing, as with Linux's pseudo-terminals. A read with VMIN 0
// and VTIME that is interrupted counts its time from its first try.
package devpts
