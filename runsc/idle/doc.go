// Package idle gives back memory that only the start of a process needed, and
// lets a small heap grow before it is collected.
//
// # Objects
//
// The command, the Sentry and the gofer are one binary of some 12 MB. What each
// touches of it while it starts (tables of types, initialisers, the flags'
// parser, the decoder of the spec) stays mapped for its life, and the host maps
// what the page cache holds around each page besides, up to 2 MiB. Settle waits
// until the start is long over and the process has little to do, collects the garbage
// that it left and takes the binary's pages out of the page table once: those in use
// come back by a minor fault each, the others do not. It is cut into small mappings
// before, because the host maps no more at a fault than the mapping. Code is put
// together again when the process turns out to be busy: large pieces are faster.
package idle
