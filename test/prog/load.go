package prog

import (
	"fmt"
	"io/fs"
	"strings"
)

// Load compiles every FAMILY/NAME.prog of a file system, in order of name.
func Load(fsys fs.FS) ([]*Program, error) {
	names, err := fs.Glob(fsys, "*/*.prog")
	if err != nil {
		return nil, err
	}
	var all []*Program
	var wrong []string
	for _, n := range names {
		src, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, err
		}
		p, err := Compile(strings.TrimSuffix(n, ".prog"), string(src))
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		all = append(all, p)
	}
	if wrong != nil {
		return nil, fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return all, nil
}
