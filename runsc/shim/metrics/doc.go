// Package metrics turns what the runtime says a container uses into containerd's
// messages, and tells when a container is out of memory.
package metrics
