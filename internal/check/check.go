// Package check states what must be true of cordon's own code.
//
// A failed check is our bug and never a guest's doing: what comes from a guest
// is answered with an errno, and what comes from outside (gofer, host,
// configuration) with an errno or an orderly end. Checks stay on in production;
// the panic ends this sandbox and no other.
package check

import "fmt"

// prefix begins the message of every failed check, so that it can be told from
// a panic of the runtime.
const prefix = "cordon bug: "

// That panics with the message unless cond holds. Arguments that cost something
// to compute belong behind an if with Failed.
func That(cond bool, format string, args ...any) {
	if !cond {
		Failed(format, args...)
	}
}

// Failed reports a broken invariant.
func Failed(format string, args ...any) {
	panic(prefix + fmt.Sprintf(format, args...))
}

// NoError panics if err is not nil: for calls that can only fail by our fault.
func NoError(err error, doing string) {
	if err != nil {
		Failed("%s: %v", doing, err)
	}
}
