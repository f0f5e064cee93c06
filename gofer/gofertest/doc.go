// Package gofertest is the suite that a connection to a gofer passes, whatever
// carries it and whatever serves it.
//
// A Dialer starts a gofer with a configuration and connects to it; Run checks
// what the Sentry relies on, and RunHostile that no tree, name or concurrent
// renamer leads out of what is served. Local is the Dialer of an in-process
// gofer over socketpairs.
package gofertest
