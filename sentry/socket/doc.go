// Package socket is what all sockets share: the interface that system calls use, addresses, control messages, the options
// of SOL_SOCKET, and network namespaces.
//
// # Objects
//
// A Socket is the File of a description; a Provider makes the sockets of some address families, and a Registry is the set
// of providers that a kernel has. A Namespace is a network namespace: a TCP/IP stack, the abstract names of unix sockets,
// and the list of sockets in it.
//
// A Base is embedded in every socket: its wait queue and the options that every family has.
//
// # Blocking
//
// Sockets never sleep. Accept, Send and Receive return EAGAIN, and Readiness says when to try again. Connect returns
// EINPROGRESS when a handshake was begun (wait for Out, then ask ConnectResult; a restarted call is told EALREADY and waits
// the same way) or EAGAIN when a listener's queue is full (wait for Out, then Connect again). Timeouts are kept here and
// applied by who sleeps. SIGPIPE is the system call's: for EPIPE of a Send on a stream without MSG_NOSIGNAL.
//
// # Locking
//
// Namespace.mu (rank SocketNames) guards names and the list; it may be held while a socket is locked. Base.mu (rank
// SocketOptions) is a leaf.
//
// # Lifetimes
//
// A socket lives as long as its description, and after that while its family needs it (data in flight, connections not
// accepted). Descriptions in a control message are references: whoever takes a message out owns them.
package socket
