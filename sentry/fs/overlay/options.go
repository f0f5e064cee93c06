package overlay

import (
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// maxLowers is how many lower directories there may be (Linux: OVL_MAX_STACK).
const maxLowers = 500

// mountOptions is what mount(2)'s data says.
type mountOptions struct {
	lower       string // as it was given
	lowers      []string
	upper, work string
	userXattr   bool
	volatile    bool
	defaults    bool // default_permissions
}

// choices are the options with a value of which some change nothing: those that are
// here. What the others ask for is not had.
var choices = map[string][]string{
	"redirect_dir": {"off", "nofollow"},
	"index":        {"off"},
	"uuid":         {"off", "null", "auto"},
	"nfs_export":   {"off"},
	"xino":         {"off", "on", "auto"},
	"metacopy":     {"off"},
	"verity":       {"off"},
	"fsync":        {"auto", "strict", "volatile"},
}

// flags are the options without a value.
var flags = map[string]func(*mountOptions){
	"default_permissions": func(o *mountOptions) { o.defaults = true },
	"userxattr":           func(o *mountOptions) { o.userXattr = true },
	"volatile":            func(o *mountOptions) { o.volatile = true },
}

// optionNames are the keys that there are.
func optionNames() []string {
	names := []string{"lowerdir", "upperdir", "workdir"}
	for n := range choices {
		names = append(names, n)
	}
	for n := range flags {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// checkOption refuses what set would refuse.
func checkOption(option string) error { return new(mountOptions).set(option) }

func (o *mountOptions) set(option string) error {
	key, value, valued := strings.Cut(option, "=")
	if f, ok := flags[key]; ok && !valued {
		f(o)
		return nil
	}
	if c, ok := choices[key]; ok && slices.Contains(c, value) {
		o.volatile = o.volatile || value == "volatile"
		return nil
	}
	if value == "" {
		return linux.EINVAL
	}
	switch key {
	case "lowerdir":
		o.lower, o.lowers = value, splitPaths(value)
		if slices.Contains(o.lowers, "") || len(o.lowers) > maxLowers {
			return linux.EINVAL
		}
	case "upperdir":
		o.upper = unescape(value)
	case "workdir":
		o.work = unescape(value)
	default:
		return linux.EINVAL
	}
	return nil
}

// parseOptions reads data: options between commas, of which a backslash takes the
// meaning (Linux: ovl_next_opt).
func parseOptions(data string) (o mountOptions, err error) {
	for _, option := range splitEscaped(data, ',') {
		if option == "" {
			continue
		}
		if err := o.set(option); err != nil {
			return o, err
		}
	}
	switch {
	case len(o.lowers) == 0, o.upper == "" && len(o.lowers) < 2, o.upper != "" && o.work == "", o.upper == "" && o.volatile:
		return o, linux.EINVAL
	}
	return o, nil
}

// splitEscaped cuts s at each sep that no backslash stands before. Backslashes stay.
func splitEscaped(s string, sep byte) (parts []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

func splitPaths(s string) []string {
	paths := splitEscaped(s, ':')
	for i := range paths {
		paths[i] = unescape(paths[i])
	}
	return paths
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// MountOptions implements vfs.MountOptioner.
func (u *Union) MountOptions() string {
	o := &u.opts
	s := "lowerdir=" + shown.Replace(o.lower)
	if o.upper != "" {
		s += ",upperdir=" + shown.Replace(o.upper) + ",workdir=" + shown.Replace(o.work)
	}
	if o.defaults {
		s += ",default_permissions"
	}
	if o.volatile {
		s += ",volatile"
	}
	if o.userXattr {
		s += ",userxattr"
	}
	return s
}

// shown writes a path as /proc/mounts does.
var shown = strings.NewReplacer(",", `\054`, " ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)

// Reconfigure implements vfs.Reconfigurer: what is mounted keeps its options, as in
// Linux.
func (u *Union) Reconfigure(string) error { return nil }

// Register makes overlays mountable.
func Register(v *vfs.VFS) {
	v.Register("overlay", vfs.FileSystemType{
		NoDev: true, UserMount: true, Options: optionNames(), Check: checkOption,
		New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) { return Mount(c, v, data) },
	})
}
