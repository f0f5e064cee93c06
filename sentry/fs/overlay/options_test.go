package overlay

import (
	"slices"
	"testing"

	"cordon/internal/linux"
)

func TestMountOptions(t *testing.T) {
	for _, c := range []struct {
		data   string
		lowers []string
		upper  string
		bad    bool
	}{
		{data: "lowerdir=/a:/b", lowers: []string{"/a", "/b"}},
		{data: `lowerdir=/a\:1:/b\\:c\,d`, lowers: []string{"/a:1", `/b\`, "c,d"}},
		{data: `lowerdir=/a,upperdir=/u\,v,workdir=/w`, lowers: []string{"/a"}, upper: "/u,v"},
		{data: "lowerdir=/a,upperdir=/u,workdir=/w,index=off,xino=on,metacopy=off,userxattr", lowers: []string{"/a"}, upper: "/u"},
		{data: "lowerdir=/a", bad: true},
		{data: "lowerdir=/a::/b", bad: true},
		{data: "lowerdir=/a:/b,volatile", bad: true},
		{data: "lowerdir=/a,upperdir=/u", bad: true},
		{data: "lowerdir=/a:/b,metacopy=on", bad: true},
		{data: "lowerdir=/a:/b,redirect_dir=on", bad: true},
		{data: "lowerdir=/a:/b,nonsense", bad: true},
		{data: "", bad: true},
	} {
		o, err := parseOptions(c.data)
		switch {
		case c.bad:
			if err != error(linux.EINVAL) {
				t.Errorf("%q: %v", c.data, err)
			}
		case err != nil || !slices.Equal(o.lowers, c.lowers) || o.upper != c.upper:
			t.Errorf("%q: %q, %q, %v", c.data, o.lowers, o.upper, err)
		}
	}
}
