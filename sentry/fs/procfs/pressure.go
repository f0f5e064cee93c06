package procfs

import (
	"cordon/sentry/cgroup"
	"cordon/sentry/fs/textfs"
	"cordon/sentry/vfs"
)

// pressureEntries is /proc/pressure: of the control group that is the root for who
// opens a file, as memory is its container's.
func (f *FileSystem) pressureEntries() []entry {
	var list []entry
	for r, name := range [...]string{"cpu", "memory", "io"} {
		list = append(list, entry{name: name, mode: regular | 0o666, file: func(o *opening) (vfs.File, error) {
			g, r := f.sys.Cgroups.Root(), cgroup.Resource(r)
			if o.caller != nil {
				g = o.caller.CgroupRoot()
			}
			text := func() ([]byte, error) { return f.sys.PressureText(g, r), nil }
			return textfs.NewTriggered(text, func(c *vfs.Caller, text []byte, fire func()) (func(), error) {
				return f.sys.PressureTrigger(g, r, c, text, fire)
			}), nil
		}})
	}
	return list
}
