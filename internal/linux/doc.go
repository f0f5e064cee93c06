// Package linux is the user-space ABI of Linux 6.12 as Go types: numbers under
// their Linux names, flag words as types that print themselves in strace's form,
// and structures whose memory layout is the kernel's, so that they can be copied
// to and from a guest as they are.
//
// Layouts are those of amd64. They hold on arm64 too unless a comment says
// otherwise. Structures contain no pointers of Go: a guest's pointer is a uint64.
//
// The package imports nothing of cordon and no operating system package.
package linux
