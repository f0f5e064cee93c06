package sandbox

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// unprivilegedID is the user and group the Sentry becomes when the caller can
// give it one of its own ("nobody" everywhere).
const unprivilegedID = 65534

// unprivilegedAttr gives a process namespaces of its own but for the network, and says as whom it is to go on there (":ID"
// in its zone).
func unprivilegedAttr() (attr *syscall.SysProcAttr, id string) {
	attr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if os.Geteuid() == 0 && canMap(unprivilegedID) {
		attr.GidMappingsEnableSetgroups = true
		own := syscall.SysProcIDMap{ContainerID: unprivilegedID, HostID: unprivilegedID, Size: 1}
		attr.UidMappings = append(attr.UidMappings, own)
		attr.GidMappings = append(attr.GidMappings, own)
		id = ":" + strconv.Itoa(unprivilegedID)
	}
	return attr, id
}
