package checkpoint

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// A node and a leaf are live objects with a cycle and an interface between them.
type node struct {
	name string
	kids []*node
	up   *node
	any  named
	fd   int
	sum  int
}

type leaf struct{ v uint8 }

type named interface{ id() int }

func (l *leaf) id() int { return int(l.v) }

type nodeImage struct {
	Name  string
	Kids  []Ref
	Up    Ref
	Any   Ref
	Slot  string
	Bytes []byte
	Grid  [2][]int16
	Flag  bool
	F     float64
}

type leafImage struct{ V uint8 }

func kinds() []Kind {
	return []Kind{
		Object("test.node", saveNode, loadNode),
		Object("test.leaf",
			func(s *Saver, l *leaf) leafImage { return leafImage{l.v} },
			func(l *Loader, o *leaf, i leafImage) error { o.v = i.V; return nil }),
	}
}

func saveNode(s *Saver, n *node) nodeImage {
	img := nodeImage{Name: n.name, Up: s.Ref(n.up), Any: s.Ref(n.any), Bytes: []byte(n.name), Grid: [2][]int16{{-1, 2}, nil}, Flag: true, F: 0.5}
	for _, k := range n.kids {
		img.Kids = append(img.Kids, s.Ref(k))
	}
	if n.fd != 0 {
		img.Slot = s.Slot("stdin")
	}
	return img
}

func loadNode(l *Loader, n *node, i nodeImage) (err error) {
	n.name = i.Name
	if n.kids, err = GetAll[*node](l, i.Kids); err != nil {
		return err
	}
	if n.up, err = Get[*node](l, i.Up); err != nil {
		return err
	}
	if n.any, err = Get[named](l, i.Any); err != nil {
		return err
	}
	if string(i.Bytes) != i.Name || !i.Flag || i.F != 0.5 || !reflect.DeepEqual(i.Grid, [2][]int16{{-1, 2}, nil}) {
		return errors.New("plain data changed")
	}
	if fd, ok := l.Slot(i.Slot); ok {
		n.fd = fd.(int)
	}
	l.AfterLoad(func() error {
		for _, k := range n.kids {
			n.sum += k.any.id()
		}
		return nil
	})
	return nil
}

func tree() *node {
	root := &node{name: "root", any: &leaf{1}, fd: 7}
	shared := &leaf{200}
	for _, n := range []string{"a", "b"} {
		root.kids = append(root.kids, &node{name: n, up: root, any: shared})
	}
	return root
}

func image(t testing.TB, save func(*bytes.Buffer) error) []byte {
	var b bytes.Buffer
	if err := save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plain(t testing.TB) []byte {
	return image(t, func(b *bytes.Buffer) error { return SavePlain(b, kinds(), tree()) })
}

func packed(t testing.TB) []byte {
	return image(t, func(b *bytes.Buffer) error { return Save(b, kinds(), tree()) })
}

func TestRoundTrip(t *testing.T) {
	for name, img := range map[string][]byte{"plain": plain(t), "packed": packed(t)} {
		got, err := Load(bytes.NewReader(img), kinds(), map[string]any{"stdin": 9})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := got.(*node)
		if r.name != "root" || r.fd != 9 || len(r.kids) != 2 || r.kids[1].name != "b" || r.kids[0].up != r {
			t.Errorf("%s: tree is %+v", name, r)
		}
		if r.kids[0].any != r.kids[1].any {
			t.Errorf("%s: a shared object became two", name)
		}
		if r.sum != 400 {
			t.Errorf("%s: AfterLoad saw %d, want 400", name, r.sum)
		}
	}
}

func TestSameStateSameBytes(t *testing.T) {
	if !bytes.Equal(packed(t), packed(t)) || !bytes.Equal(plain(t), plain(t)) {
		t.Error("two images of one state differ")
	}
	rev := kinds()
	rev[0], rev[1] = rev[1], rev[0]
	other := image(t, func(b *bytes.Buffer) error { return SavePlain(b, rev, tree()) })
	if !bytes.Equal(plain(t), other) {
		t.Error("the order of kinds shows in the image")
	}
}

func TestFailures(t *testing.T) {
	var b bytes.Buffer
	err := Save(&b, kinds()[:1], tree())
	if err == nil || !strings.Contains(err.Error(), "test.node#1 > test.node#2 refers to a *checkpoint.leaf") {
		t.Errorf("unknown kind: %v", err)
	}
	if err := Save(&b, kinds(), (*node)(nil)); err == nil {
		t.Error("an image without a root")
	}
	if _, err := Load(bytes.NewReader(plain(t)), kinds(), nil); err == nil || !strings.Contains(err.Error(), `"stdin"`) {
		t.Errorf("missing slot: %v", err)
	}
	if _, err := Load(bytes.NewReader(plain(t)), kinds()[:1], map[string]any{"stdin": 1}); err == nil || !strings.Contains(err.Error(), "test.leaf") {
		t.Errorf("unknown kind in an image: %v", err)
	}
	newer := kinds()
	newer[1] = newer[1].WithVersion(2)
	img := image(t, func(b *bytes.Buffer) error { return SavePlain(b, newer, tree()) })
	if _, err := Load(bytes.NewReader(img), kinds(), map[string]any{"stdin": 1}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("newer version: %v", err)
	}
	flip := plain(t)
	flip[len(flip)/2] ^= 1
	if _, err := Load(bytes.NewReader(flip), kinds(), map[string]any{"stdin": 1}); err == nil {
		t.Error("a flipped bit went unnoticed")
	}
	for n := range len(flip) {
		if _, err := Load(bytes.NewReader(plain(t)[:n]), kinds(), map[string]any{"stdin": 1}); err == nil {
			t.Fatalf("an image cut to %d bytes loads", n)
		}
	}
}

// TestFieldsComeAndGo loads an image into a program whose type has lost a field,
// gained one and reordered the rest.
func TestFieldsComeAndGo(t *testing.T) {
	type old struct {
		A uint32
		B []struct{ X, Y int }
		C string
	}
	type new struct {
		C string
		D int
		A uint64
	}
	type obj struct{ i new }
	oldKinds := []Kind{Object("t.obj", func(*Saver, *obj) old { return old{5, []struct{ X, Y int }{{1, 2}}, "c"} },
		func(*Loader, *obj, old) error { return nil })}
	newKinds := []Kind{Object("t.obj", func(_ *Saver, o *obj) new { return o.i }, func(_ *Loader, o *obj, i new) error { o.i = i; return nil })}
	img := image(t, func(b *bytes.Buffer) error { return Save(b, oldKinds, &obj{}) })
	got, err := Load(bytes.NewReader(img), newKinds, nil)
	if err != nil || got.(*obj).i != (new{C: "c", A: 5}) {
		t.Errorf("loaded %+v, %v", got, err)
	}
	type small struct{ A uint8 }
	big := []Kind{Object("t.obj", func(*Saver, *obj) old { return old{A: 300} }, func(*Loader, *obj, old) error { return nil })}
	img = image(t, func(b *bytes.Buffer) error { return Save(b, big, &obj{}) })
	smallKinds := []Kind{Object("t.obj", func(*Saver, *obj) small { return small{} }, func(*Loader, *obj, small) error { return nil })}
	if _, err := Load(bytes.NewReader(img), smallKinds, nil); err == nil || !strings.Contains(err.Error(), "A: 300 does not fit") {
		t.Errorf("overflow: %v", err)
	}
}

func TestInspect(t *testing.T) {
	sum, err := Inspect(bytes.NewReader(packed(t)))
	if err != nil {
		t.Fatal(err)
	}
	s := sum.String()
	for _, want := range []string{"5 objects of 2 kinds", "stdin", "2 test.leaf", "3 test.node", "{V uint}", "Kids []uint"} {
		if !strings.Contains(s, want) {
			t.Errorf("summary lacks %q:\n%s", want, s)
		}
	}
}

func TestCheckCovered(t *testing.T) {
	ok := map[string]string{"fd": "a slot", "sum": "rebuilt after loading"}
	if err := CheckCovered[node, nodeImage](ok); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		excused map[string]string
		want    string
	}{
		{map[string]string{"fd": "a slot"}, "node.sum is neither"},
		{map[string]string{"fd": "x", "sum": "y", "gone": "z"}, "no field gone"},
		{map[string]string{"fd": "x", "sum": "y", "name": "z"}, "name is excused but in"},
	} {
		if err := CheckCovered[node, nodeImage](c.excused); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.excused, err)
		}
	}
}

func TestCheckPlain(t *testing.T) {
	type self struct{ Kids []self }
	if err := CheckPlain(reflect.TypeFor[nodeImage]()); err != nil {
		t.Error(err)
	}
	for _, bad := range []any{node{}, struct{ P *int }{}, struct{ M map[int]int }{}, struct{ E []struct{} }{}, struct{ x int }{}, self{}} {
		if CheckPlain(reflect.TypeOf(bad)) == nil {
			t.Errorf("%T passes for plain", bad)
		}
	}
}

// FuzzLoad feeds hostile images. Sections are rebuilt around the fuzzed payloads
// too, since a random change does not get past the checksum.
func FuzzLoad(f *testing.F) {
	f.Add(plain(f), []byte{1, 0})
	f.Add(packed(f), []byte{})
	fr, _ := newFileReader(bytes.NewReader(plain(f)))
	for {
		typ, raw, err := fr.section()
		if err != nil || typ == sectionEnd {
			break
		}
		f.Add([]byte{}, raw)
	}
	f.Fuzz(func(t *testing.T, whole, section []byte) {
		slots := map[string]any{"stdin": 1}
		_, _ = Load(bytes.NewReader(whole), kinds(), slots)
		_, _ = Inspect(bytes.NewReader(whole))
		var b bytes.Buffer
		fw, err := newFileWriter(&b, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct {
			typ uint32
			raw []byte
		}{{sectionHead, []byte{2, 0}}, {sectionKind, section}, {sectionEnd, nil}} {
			if err := fw.section(s.typ, s.raw); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = Load(bytes.NewReader(b.Bytes()), kinds(), slots)
		_, _ = Inspect(bytes.NewReader(b.Bytes()))
	})
}
