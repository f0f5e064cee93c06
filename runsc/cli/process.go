package cli

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"cordon/runsc/boot"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

// setUser makes the process the one that USER[:GROUP] names on the host, or
// the caller.
func setUser(p *boot.Process, name string) error {
	if name == "" {
		p.UID, p.GID = uint32(os.Geteuid()), uint32(os.Getegid())
		groups, err := os.Getgroups()
		for _, g := range groups {
			p.AdditionalGIDs = append(p.AdditionalGIDs, uint32(g))
		}
		return err
	}
	userName, groupName, hasGroup := strings.Cut(name, ":")
	u, err := user.Lookup(userName)
	if id, nerr := strconv.ParseUint(userName, 10, 32); nerr == nil {
		u, err = user.LookupId(userName)
		if err != nil {
			// A number needs no entry; its group is then its own number 0, as
			// with runc and docker.
			u, err = &user.User{Uid: userName, Gid: "0"}, nil
		}
		p.UID = uint32(id)
	}
	if err != nil {
		return err
	}
	if p.UID, err = parseID(u.Uid); err != nil {
		return err
	}
	if p.GID, err = parseID(u.Gid); err != nil {
		return err
	}
	if hasGroup {
		return setGroup(p, groupName)
	}
	if u.Username == "" {
		return nil
	}
	groups, err := u.GroupIds()
	for _, g := range groups {
		if id, err := parseID(g); err == nil {
			p.AdditionalGIDs = append(p.AdditionalGIDs, id)
		}
	}
	return err
}

func setGroup(p *boot.Process, name string) error {
	if id, err := parseID(name); err == nil {
		p.GID = id
		return nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return err
	}
	p.GID, err = parseID(g.Gid)
	return err
}

func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == math.MaxUint32 {
		return 0, fmt.Errorf("%q is no user or group id", s)
	}
	return uint32(id), nil
}

// setEnv applies NAME=VALUE (set) and NAME (unset) to env.
func setEnv(env []string, changes []string) []string {
	for _, c := range changes {
		name, _, set := strings.Cut(c, "=")
		env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if set {
			env = append(env, c)
		}
	}
	return env
}

// lastRlimit is the highest resource number (RLIMIT_RTTIME).
const lastRlimit = 15

// ownRlimits are this process's, as it was started.
func ownRlimits() []boot.Rlimit {
	var all []boot.Rlimit
	for r := range lastRlimit + 1 {
		var l unix.Rlimit
		if unix.Getrlimit(r, &l) != nil {
			continue
		}
		if r == unix.RLIMIT_NOFILE {
			l.Cur = sandbox.DescriptorLimit()
		}
		all = append(all, boot.Rlimit{Resource: r, Soft: l.Cur, Hard: l.Max})
	}
	return all
}

// ownScheduler is this process's scheduling, nil for the default.
func ownScheduler() *boot.Scheduler {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Policy == unix.SCHED_NORMAL && a.Nice == 0 {
		return nil
	}
	return &boot.Scheduler{Policy: a.Policy, Nice: a.Nice, Priority: int32(a.Priority)}
}

// ownIDMaps are the identity maps an ordinary user's gofer needs to have a
// mount namespace; root's gofer stays in the caller's user namespace.
func ownIDMaps() sandbox.IDMaps {
	if os.Geteuid() == 0 {
		return sandbox.IDMaps{}
	}
	own := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
	}
	return sandbox.IDMaps{UID: own(os.Geteuid()), GID: own(os.Getegid())}
}

// parseSize reads a number of bytes with an optional unit (k, m, g, t; powers
// of 1024).
func parseSize(s string) (uint64, error) {
	digits := strings.TrimRight(strings.ToLower(s), "kmgtib")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s)[len(digits):], "b"), "i")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size", s)
	}
	shift, ok := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[unit]
	if !ok || n > math.MaxUint64>>shift {
		return 0, fmt.Errorf("%q is no size", s)
	}
	if n == 0 {
		return 0, errors.New("the size is 0")
	}
	return n << shift, nil
}
