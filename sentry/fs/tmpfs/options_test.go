package tmpfs

import "testing"

func TestRemountShowsItsLimits(t *testing.T) {
	for _, c := range [][3]string{
		{",size=1024k,mode=750", ",size=2048k", ",size=2048k,mode=750"},
		{",mode=750", ",size=2048k,nr_inodes=9", ",mode=750,size=2048k,nr_inodes=9"},
		{",nr_inodes=7", ",mode=700,uid=5", ",nr_inodes=7"},
		{"", ",size=4k", ",size=4k"},
		{"", "", ""},
	} {
		if got := changedOptions(c[0], c[1]); got != c[2] {
			t.Errorf("%q with %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
