// Package spec reads OCI bundles: it decodes and checks config.json
// (runtime-spec 1.3) and turns it into what a sandbox is made from.
//
// # Objects
//
// Load returns a checked configuration; Convert turns it into a Plan: the boot
// process's Spec, the trees that the gofer serves, the identity maps it runs
// under, and the hooks. Errors name the field they are about, as
// "mounts[2].options[0]".
//
// # Differences
//
// Properties that nobody knows are ignored, as the specification demands.
// Known ones are honoured or refused, with these exceptions, which confine
// processes of the host that a sandbox does not have: process.apparmorProfile,
// process.selinuxLabel, linux.mountLabel and linux.resources.devices. A guest
// never acts on the host's kernel, so there is nothing for them to apply to.
//
// A namespace by path is joined where it is another container's of ours (package
// container), and the network's otherwise. A configuration without a PID
// namespace, which is the host's for runc, gets one of the sandbox's with a
// warning in the log: no guest can be among the host's processes. One without an
// IPC namespace has the host's System V objects where root runs it and it has no
// user namespace (hostipc.go), and else likewise one of the sandbox's. Mounts of
// the host's root that would come to it, and seccomp listeners, are refused by
// name. Scheduling, I/O priority and affinity are what the guest is
// told when it asks; the Sentry's threads are scheduled as the host pleases.
package spec
