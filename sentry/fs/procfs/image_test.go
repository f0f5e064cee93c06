package procfs

import (
	"reflect"
	"testing"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

func TestImageIsPlainAndCovers(t *testing.T) {
	for _, ty := range []reflect.Type{reflect.TypeFor[Image](), reflect.TypeFor[TextImage]()} {
		if err := checkpoint.CheckPlain(ty); err != nil {
			t.Error(err)
		}
	}
	made := "made by New of the options"
	if err := checkpoint.CheckCovered[shared, Image](map[string]string{
		"sys": "supplied", "options": "supplied", "cpus": made, "sysctls": made, "process": made, "thread": made, "netTable": made,
		"mu": "a lock", "nsIDs": "Spaces",
	}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[textFile, TextImage](map[string]string{
		"o": "made by opening", "e": "made by opening", "mu": "a lock",
	}); err != nil {
		t.Error(err)
	}
}

func TestImageKeepsNumbers(t *testing.T) {
	w := newWorld(t, Options{})
	w.process(0, "init")
	p := w.process(0, "p")
	before, _ := w.readlink(p, "/self/ns/uts")
	boot := w.read(p, "/sys/kernel/random/boot_id")
	im := w.fs.Image(func(any) checkpoint.Ref { return 7 })

	v := newWorld(t, Options{BootID: [16]byte{1}})
	v.process(0, "init")
	q := v.process(0, "q")
	get := func(r checkpoint.Ref) any {
		if r == 7 {
			return q.Namespaces().UTS
		}
		return nil
	}
	if e := v.fs.Restore(im, get); e != 0 {
		t.Fatal(e)
	}
	if after, _ := v.readlink(q, "/self/ns/uts"); after != before {
		t.Errorf("the namespace was %s and is %s", before, after)
	}
	if s := v.read(q, "/sys/kernel/random/boot_id"); s != boot {
		t.Errorf("boot_id was %s and is %s", boot, s)
	}
	im.Spaces[0].Number = 5
	if e := newWorld(t, Options{}).fs.Restore(im, get); e != linux.EINVAL {
		t.Errorf("a number that was never given: %v, want EINVAL", e)
	}
}

func TestTextGoesOnAfterRestore(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "p")
	d, err := w.open(p, "/version", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer d.DecRef()
	f := d.File().(*textFile)
	f.Restore(TextImage{Data: []byte("abcdef"), Have: true})
	data, err := f.contents(3)
	if err != nil || string(data) != "abcdef" {
		t.Errorf("reading on gives %q, %v", data, err)
	}
	if im := f.Image(); string(im.Data) != "abcdef" || !im.Have {
		t.Errorf("the image is %q", im.Data)
	}
}
