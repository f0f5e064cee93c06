// Package events sends what happens to tasks to containerd.
//
// # Objects
//
// A Publisher has a queue, which one goroutine empties in order. While containerd
// is away (it may be restarted under running containers), events wait; those
// that wait too long are dropped, as containerd asks for the state when it comes
// back.
package events
