// Package p9 joins cordon to github.com/hugelgupf/p9: the 9P2000.L session on
// a stream socket, with attributes and errors converted at this edge.
//
// # Objects
//
// A Stream is a stream socket that gathers what the library writes in pieces
// into one write per message and reads ahead. Serve runs the library's server
// on one; a Session is the client's side. A Donor sends the descriptors of
// files opened over 9P through the side channel (package donate).
//
// # Differences
//
// What the library cannot do, or does wrong, does not go through it: its
// client's locks and extended attributes fail, mode bits above 01777 are lost,
// EPERM and ENOTEMPTY change on the way unless the server returns the
// library's own Errno (as ToErrno's callers do), and an operation that blocks
// stalls the server as soon as somebody renames. So the Session offers the few
// operations that are whole, renames go through the side channel, and nothing
// but regular files and directories is ever opened.
//
// A handle of the side channel is reached from any fid of the session by
// walking to HandleName(handle). The name holds a NUL, which no file's name
// does.
package p9
