// Package signal keeps pending signals and their actions. It sends nothing and
// runs nothing: task decides who gets a signal and when it is delivered.
//
// # Objects
//
// Pending is the queue of a task or of a thread group. Actions is the table of
// handlers that CLONE_SIGHAND shares.
//
// # Locking
//
// Pending has no lock of its own: its owner's guards it. Actions has one.
package signal
