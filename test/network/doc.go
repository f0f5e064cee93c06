// Package network tests how sandboxes reach the world and each other, with the real runsc: by an interface that somebody
// prepared in a network namespace (as root), by sockets of the host (network "user"), and over switches in user space, where
// nine routers forward without any privilege on the host. What runs in the sandboxes is the test program itself.
package network
