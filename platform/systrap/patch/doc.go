// Package patch decides whether and how a syscall instruction of a guest can be
// replaced by a jump, so that the kernel is not entered.
package patch
