// Package sandbox starts the two processes of a sandbox and watches them:
// `runsc gofer`, which serves host files, and `runsc boot`, which is the Sentry.
//
// # Objects
//
// Both are this same binary, executed again in namespaces of their own. enter.c
// runs in them before the Go runtime has threads and leaves them in an empty
// directory without rights; ARCHITECTURE and docs/security.md say what each may
// do. Start makes both at once and returns when the Sentry has its mounts and
// its first program loaded, or says in one line why not.
//
//	runsc run --- ready pipes --- gofer   cloned trees, file capabilities
//	    |                           |      9P stream, donated descriptors
//	    +------- lifeline -------- boot   no capability, user 65534
//	                                 |
//	                               stubs  run guest code
//
// Join makes a further container of a running sandbox. Each container has a gofer of
// its own, and a keeper, which enter.c never lets become Go and which carries the
// container's pid on the host: it is in the sandbox's network, IPC and UTS namespaces
// and shows the container's files in its mount namespace. Without a keeper (`do`, and
// users without rights) the boot process is what the first container is known by.
//
// # Lifetimes
//
// boot holds the only other ends of the gofer's sockets: when it ends, the
// gofer sees end of file and ends too. boot waits on the lifeline: a byte 'g'
// lets it go on after its parent has put it into a cgroup, a byte 'd' detaches
// it, and an end of file before 'd' ends it, so a parent that is killed at any
// point leaves nothing running. A keeper has such a pipe too. An attached container
// has the kernel's parent-death signal besides, since its parent never detaches it.
//
// The end of a keeper ends its container, and the end of the last container ends the
// boot process. What the sandbox needs of the first container's when that is gone, its
// place in a cgroup, the runtime hands on (package container).
package sandbox
