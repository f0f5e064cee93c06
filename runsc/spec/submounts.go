package spec

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cordon/gofer/hostfs"
	"cordon/runsc/boot"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

// A recursive bind mount shows what is mounted below its source, each mount with
// the flags that it has on the host: so each becomes a mount of the guest's, with a
// tree of its own in the gofer.

// maxSubmounts bounds the mounts below one source.
const maxSubmounts = 512

// A hostMount is a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type hostMount struct {
	id         int
	point      string
	options    []string
	unbindable bool
	fsType     string
}

// hostMounts reads the mounts that this process sees.
func hostMounts() ([]hostMount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []hostMount
	for s := bufio.NewScanner(f); s.Scan(); {
		if m, ok := parseHostMount(s.Text()); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

func parseHostMount(line string) (m hostMount, ok bool) {
	left, right, ok := strings.Cut(line, " - ")
	f := strings.Fields(left)
	if !ok || len(f) < 6 {
		return m, false
	}
	m.id, _ = strconv.Atoi(f[0])
	m.point, m.options = unescapeOctal(f[4]), strings.Split(f[5], ",")
	for _, tag := range f[6:] {
		m.unbindable = m.unbindable || tag == "unbindable"
	}
	m.fsType, _, _ = strings.Cut(right, " ")
	return m, true
}

// unescapeOctal undoes mountinfo's \040 and the like.
func unescapeOctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// submounts are the mounts that can be seen below dir, parents first.
func submounts(dir string) ([]hostMount, error) {
	all, err := hostMounts()
	if err != nil {
		return nil, err
	}
	var below []hostMount
	for _, m := range all {
		rel, err := filepath.Rel(dir, m.point)
		if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") || m.unbindable || m.fsType == "autofs" {
			continue
		}
		if dir == "/" && kernelsOwn(m.point) {
			continue
		}
		// What another mount covers is not seen.
		var st unix.Statx_t
		err = unix.Statx(unix.AT_FDCWD, m.point, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st)
		if err == nil && st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id == uint64(m.id) {
			below = append(below, m)
		}
	}
	return below, nil
}

// kernelsOwn reports whether a mount of the host's root is one of the kernel's file
// systems, which a guest has of its own.
func kernelsOwn(point string) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if point == dir || strings.HasPrefix(point, dir+"/") {
			return true
		}
	}
	return false
}

// bindBelow adds the mounts below a recursive bind mount's source.
func (p *Plan) bindBelow(top *boot.Mount, source string, how *bindOption) error {
	all := &how.below
	below, err := submounts(source)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if len(below) > maxSubmounts {
		return fmt.Errorf("source: %d mounts below %s are more than %d", len(below), source, maxSubmounts)
	}
	for i, m := range below {
		var st unix.Stat_t
		if unix.Lstat(m.point, &st) != nil {
			continue // it has gone
		}
		rel, _ := filepath.Rel(source, m.point)
		number, _, _ := strings.Cut(top.Attach, hostfs.PlaceMark)
		at := filepath.Join(top.Destination, rel)
		out := boot.Mount{
			Destination: at, Type: boot.MountGofer, Source: top.Source,
			Attach: attachName(fmt.Sprintf("%s.%d", number, i), at), File: st.Mode&unix.S_IFMT != unix.S_IFDIR, Shared: true,
		}
		for _, o := range m.options {
			setFlag(&out, o)
		}
		all.apply(&out)
		root := sandbox.Root{Attach: out.Attach, Path: m.point, ReadOnly: out.ReadOnly, Connect: !out.ReadOnly, Alone: true, Writable: all.writable()}
		p.mapIDs(&out, &root, &how.ids)
		p.Roots = append(p.Roots, root)
		p.Boot.Mounts = append(p.Boot.Mounts, out)
	}
	return nil
}

// recursive are the attributes that a bind mount sets and clears of all mounts below
// it too (mount_setattr(2)).
type recursive struct{ options []string }

// writable reports whether the mounts become writable, those too that are not.
func (r *recursive) writable() bool {
	last := ""
	for _, o := range r.options {
		if o == "rw" || o == "ro" {
			last = o
		}
	}
	return last == "rw"
}

func (r *recursive) apply(m *boot.Mount) {
	for _, o := range r.options {
		setFlag(m, o)
	}
}
