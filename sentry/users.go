package sentry

import (
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// maxAccounts bounds how much of /etc/passwd and /etc/group is read.
const maxAccounts = 1 << 20

// lookUpUser resolves "user", "user:group" in names or numbers by the guest's
// own account files, as docker's --user does.
func lookUpUser(c *vfs.Caller, spec string) (uid, gid uint32, groups []uint32, err error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	passwd, err := accounts(c, "/etc/passwd")
	if err != nil {
		return 0, 0, nil, err
	}
	name := user
	n, numErr := strconv.ParseUint(user, 10, 31)
	found := false
	for _, f := range passwd {
		if len(f) >= 4 && (f[0] == user || numErr == nil && f[2] == user) {
			u, err1 := strconv.ParseUint(f[2], 10, 32)
			g, err2 := strconv.ParseUint(f[3], 10, 32)
			if err1 == nil && err2 == nil {
				uid, gid, name, found = uint32(u), uint32(g), f[0], true
				break
			}
		}
	}
	if !found {
		if numErr != nil {
			return 0, 0, nil, &StartError{Message: "unable to find user " + user + ": no matching entries in passwd file"}
		}
		uid = uint32(n)
	}
	list, err := accounts(c, "/etc/group")
	if err != nil {
		return 0, 0, nil, err
	}
	for _, f := range list {
		if len(f) < 4 {
			continue
		}
		g, numErr := strconv.ParseUint(f[2], 10, 32)
		if numErr != nil {
			continue
		}
		if !hasGroup {
			for _, m := range strings.Split(f[3], ",") {
				if m == name {
					groups = append(groups, uint32(g))
				}
			}
		} else if f[0] == group {
			return uid, uint32(g), nil, nil
		}
	}
	if !hasGroup {
		return uid, gid, groups, nil
	}
	g, numErr := strconv.ParseUint(group, 10, 31)
	if numErr != nil {
		return 0, 0, nil, &StartError{Message: "unable to find group " + group + ": no matching entries in group file"}
	}
	return uid, uint32(g), nil, nil
}

// environment is the environment that p starts with: with HOME, if p asks for it
// and does not say what it is. An empty one counts as none, as with runc.
func environment(c *vfs.Caller, user uint32, p *Process) ([]string, error) {
	if !p.SetHome {
		return p.Env, nil
	}
	env := make([]string, 0, len(p.Env)+1)
	for _, e := range p.Env {
		v, ok := strings.CutPrefix(e, "HOME=")
		if ok && v != "" {
			return p.Env, nil
		}
		if !ok {
			env = append(env, e)
		}
	}
	passwd, err := accounts(c, "/etc/passwd")
	if err != nil {
		return nil, err
	}
	home, uid := "/", strconv.FormatUint(uint64(user), 10)
	for _, f := range passwd {
		if len(f) >= 6 && f[2] == uid && f[5] != "" {
			home = f[5]
			break
		}
	}
	return append(env, "HOME="+home), nil
}

// accounts reads a file of colon-separated fields; a missing file has none.
func accounts(c *vfs.Caller, path string) ([][]string, error) {
	d, err := vfs.Open(c, c.Root, path, vfs.OpenHow{Flags: linux.O_RDONLY})
	if err == error(linux.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, &StartError{Message: path + ": " + err.Error()}
	}
	defer d.DecRef()
	var text []byte
	buf := make([]byte, 16<<10)
	for len(text) < maxAccounts {
		dst := usermem.OfBytes(buf)
		n, err := d.Read(c, &dst)
		if err != nil {
			return nil, &StartError{Message: path + ": " + err.Error()}
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	var out [][]string
	for _, line := range strings.Split(string(text), "\n") {
		out = append(out, strings.Split(line, ":"))
	}
	return out, nil
}
