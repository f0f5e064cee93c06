// Package clients drives runsc through the programs that people use it with:
// containerd, Docker, Podman, and the kubelet's interface. It has tests only.
//
//	make test-clients                          everything that is installed here
//	go test ./test/clients -runsc PATH -shim PATH -run Containerd -v
//
// # Objects
//
// A world is a place for one client: a process that holds a network, a mount, an IPC and
// a PID namespace, with /proc and /run of its own, and a directory for the
// client's roots. Daemons and commands run in it by nsenter(1). Nothing of it is
// visible on the host beside the directory and the cgroups, whose names hold the
// world's, and all of it ends with the test, even with one that is killed.
//
// An image is made from the host's static busybox, so no network is needed.
//
// # Lifetimes
//
// When a test ends, its daemons are stopped, and then there may be no process
// in the world beside its holder, no mount that was not there before, no cgroup
// with its name, and no state directory of a container. A daemon that keeps
// something of its own names it (keeps). A command that does not end in time
// fails the test with what every process was doing.
//
// All tests skip unless a flag names runsc, or CLIENTS is set in the environment:
// they take minutes. A test skips, and says why, without root, without the client,
// or without busybox.
package clients
