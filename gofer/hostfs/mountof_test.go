package hostfs

import "testing"

// TestMountOf finds mounts by the names that a saved sandbox knows them by.
func TestMountOf(t *testing.T) {
	f := &fsys{mounts: []*mount{{name: "root"}, {name: "mount2@hosts"}, {name: "mount5@shm"}}}
	for name, want := range map[string]string{
		"root": "root", "mount5@shm": "mount5@shm",
		"mount2@shm":  "mount5@shm",   // the configuration has another order now
		"mount2":      "mount2@hosts", // saved by a version without places
		"mount5@gone": "", "mount3": "", "": "",
	} {
		got := ""
		if m := f.mountOf(name); m != nil {
			got = m.name
		}
		if got != want {
			t.Errorf("%q is %q, not %q", name, got, want)
		}
	}
}
