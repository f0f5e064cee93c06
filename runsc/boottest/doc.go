// Package boottest is a stand-in for the Sentry, so that everything around it
// (processes, namespaces, filters, state, signals, exit codes) is tested with
// real processes and without guest code. Its programs are Go functions named by
// the first argument; they act through the descriptors of the spec only.
package boottest
