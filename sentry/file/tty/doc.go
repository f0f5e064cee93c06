// Package tty is what all terminals share: their place in job control, and the
// layout of the structures that terminal requests carry.
//
// # Objects
//
// A Control is one terminal's session and foreground process group. devpts and
// hostfd have one per terminal.
//
// # Locking
//
// Control's lock (rank TTYControl) is held while nothing else is called; signals
// are sent without it, and without the terminal's own lock.
//
// # Checkpoint
//
// Saved with its terminal: session and foreground group by their ids.
//
// # Differences
//
// A terminal belongs to a session, not to each process of it: TIOCNOTTY by a
// process that does not lead its session leaves the terminal to the process too.
package tty
