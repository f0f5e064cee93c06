// Package isolation tries to leave a sandbox. A static C program
// (testdata/escape.c) runs as root with all capabilities in a container whose
// tree holds traps set from outside (links, device nodes, sockets, a directory
// that a host process keeps swapping for a link), and reports whatever it can
// read of a secret that lies outside. The same program on the host finds it, so
// the test can tell. Further tests give runsc bad input and look at what it
// leaves behind.
package isolation
