package spec

import (
	"os"

	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hostIPC says whether a configuration asks for the host's IPC namespace: by naming
// none, or by the path of the one that this process is in. It takes root's rights
// over the host's, and identities that are the host's.
func hostIPC(l *specs.Linux, bounding uint64) sandbox.HostIPC {
	for _, n := range l.Namespaces {
		switch {
		case n.Type == specs.UserNamespace, n.Type == specs.IPCNamespace && !sandbox.IsHostIPC(n.Path):
			return sandbox.OwnIPC
		}
	}
	if os.Geteuid() != 0 || !inFirstUserNamespace() {
		return sandbox.OwnIPC
	}
	if bounding>>unix.CAP_IPC_OWNER&1 != 0 {
		return sandbox.SharedIPCOwner
	}
	return sandbox.SharedIPC
}

// inFirstUserNamespace reports whether this process has all identities: what a
// container's segments are opened by counts there only.
func inFirstUserNamespace() bool {
	const first = "user:[4026531837]" // include/linux/proc_ns.h PROC_USER_INIT_INO
	text, err := os.Readlink("/proc/self/ns/user")
	return err == nil && text == first
}
