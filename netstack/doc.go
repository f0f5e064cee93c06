// Package netstack is the only room that knows gvisor.dev/gvisor/pkg/tcpip. It offers one Stack per network namespace and
// thin, never blocking Endpoints in our own types; what comes out as a failure is a linux.Errno.
//
// # Objects
//
// A Stack is made by New with a loopback interface that is up, and ends with Close. It lists interfaces, addresses, routes,
// neighbours, counters and transport endpoints in plain types, for netlink and /proc/net.
//
// An Endpoint is one end of TCP, UDP, ping or raw IP. It is made by Stack.NewEndpoint or Endpoint.Accept and ends with
// Close; what TCP still has to say after that (FIN, TIME_WAIT) is the stack's business.
//
// A TCP connection whose ends are endpoints of one stack is spliced once both are known: its bytes go from one end to the
// other through memory (splice.go) and the stack sees its beginning and its end.
//
// A link on a host descriptor has a goroutine that receives. Whoever goes to sleep may take the link's Lookout and receive in
// its place; while somebody who sends much looks for acknowledgements himself (Lookout.Tend) the goroutine is not woken at
// all. Who receives a segment of an established connection deals with it, or leaves it to the call that has the
// endpoint (backlog.go).
//
// # Locking
//
// A stream's endpoint has one reader and one writer at a time (ranks StreamRead and StreamWrite, in this order), who hold
// their lock while they copy. Stack.mu guards the table of endpoints and is a leaf. The tcpip package has locks of its own below everything here. Read
// and Write call the caller's io.Writer and Payload, TCP's Read with the endpoint's own lock held: these callbacks may
// touch guest memory, and may not call into the same endpoint.
//
// The function given to Attach is called with locks of tcpip held, from the stack's goroutines or from within a call to
// another endpoint. It may wake waiters; it may not call back into this package.
//
// # Checkpoint
//
// Save writes stacks with their endpoints, unread data and connections included, as one blob; Load brings them back and
// builds interfaces, addresses and routes anew on the loaded stacks, from our own listing of them. Between Save and Resume
// nothing may call an endpoint. Interfaces on host descriptors are outside things: the caller of Load adds them to the stack
// before its connections are restored. A connection whose address is gone then ends with ECONNRESET.
//
// # Differences
//
// On a spliced connection TCP_CORK, MSG_MORE and Nagle's algorithm hold nothing back, and an interface that is down, or a
// filter, stops new connections only. TCP_INFO's window and round trip are those of the handshake.
// A listener's backlog cannot be lowered below the number of connections waiting in it: the old value stays.
// Losses are found by selective acknowledgements (RFC 6675) and time-outs, not by RACK and tail loss probes.
// The length of TCP's send queue is not known. Urgent data is not supported.
package netstack
