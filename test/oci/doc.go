// Package oci tests an OCI runtime through its command line, whichever runtime
// it is: what holds for cordon holds for runc, so that the tests themselves are
// proven. It has tests only.
//
//	go test ./test/oci                          bin/runsc
//	RUNTIME=/usr/sbin/runc go test ./test/oci   another one
//
// # Objects
//
// A world is a state directory of the runtime and a place for bundles, whose
// root is the host's static busybox. Everything a test makes is gone when it
// ends; a container that is left, or a process of one, fails the test.
//
// A test skips without root, without the runtime or without busybox, and says
// so.
package oci
