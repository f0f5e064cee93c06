package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

const (
	// maxObjects bounds the number of objects of an image.
	maxObjects = 1 << 28
	// Memory that loading may take: some to begin with and so much per byte read.
	baseBudget    = 16 << 20
	budgetPerByte = 256
)

// A Loader resolves references while an image is loaded.
type Loader struct {
	objects []loadedObject
	slots   map[string]any
	after   []func() error
	current Ref
}

type loadedObject struct {
	obj     any
	kind    *Kind
	version uint32
	image   reflect.Value
}

// Get resolves a Ref to a pointer or interface type; 0 becomes T's zero value.
// The object may not be filled yet.
func Get[T any](l *Loader, r Ref) (T, error) {
	var zero T
	if r == 0 {
		return zero, nil
	}
	if uint64(r) > uint64(len(l.objects)) {
		return zero, fmt.Errorf("reference %d of %d objects", r, len(l.objects))
	}
	o := l.objects[r-1]
	v, ok := o.obj.(T)
	if !ok {
		return zero, fmt.Errorf("reference %d is a %s, not a %v", r, o.kind.name, reflect.TypeFor[T]())
	}
	return v, nil
}

// GetAll resolves a list of Refs.
func GetAll[T any](l *Loader, refs []Ref) ([]T, error) {
	if refs == nil {
		return nil, nil
	}
	out := make([]T, len(refs))
	for i, r := range refs {
		var err error
		if out[i], err = Get[T](l, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AfterLoad runs f when all objects are filled, in the order of the calls.
func (l *Loader) AfterLoad(f func() error) { l.after = append(l.after, f) }

// Slot is the outside thing that the restorer supplied under name.
func (l *Loader) Slot(name string) (any, bool) {
	v, ok := l.slots[name]
	return v, ok
}

// Version is the version with which the object that is being filled was saved.
func (l *Loader) Version() uint32 { return l.objects[l.current-1].version }

// Load reads an image and returns its root. Every slot that the image names must
// be in slots. On failure objects may be half filled; nothing may be kept of them.
func Load(r io.Reader, kinds []Kind, slots map[string]any) (root any, err error) {
	kinds = slices.Clone(kinds)
	if err := checkKinds(kinds); err != nil {
		return nil, err
	}
	fr, err := newFileReader(r)
	if err != nil {
		return nil, err
	}
	l := &Loader{slots: slots}
	if err := l.read(fr, kinds); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for i := range l.objects {
		o := &l.objects[i]
		l.current = Ref(i + 1)
		if err := o.kind.load(l, o.obj, o.image.Interface()); err != nil {
			return nil, fmt.Errorf("checkpoint: filling %s#%d: %w", o.kind.name, i+1, err)
		}
		o.image = reflect.Value{}
	}
	// Functions may add functions.
	for i := 0; i < len(l.after); i++ {
		if err := l.after[i](); err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
	}
	return l.objects[0].obj, nil
}

func (l *Loader) read(fr *fileReader, kinds []Kind) error {
	typ, raw, err := fr.section()
	if err != nil {
		return err
	}
	if typ != sectionHead {
		return errors.New("the image does not begin with its head")
	}
	budget := uint64(baseBudget)
	head := &decoder{buf: raw, budget: &budget}
	want, slots := readHead(head)
	if head.err != nil {
		return head.err
	}
	for _, s := range slots {
		if _, ok := l.slots[s]; !ok {
			return fmt.Errorf("the image needs %q, which was not supplied", s)
		}
	}
	seen, last := map[Ref]loadedObject{}, ""
	for {
		typ, raw, err := fr.section()
		if err != nil {
			return err
		}
		if typ == sectionEnd {
			break
		}
		if typ != sectionKind {
			return fmt.Errorf("unknown section %d", typ)
		}
		budget += uint64(len(raw)) * budgetPerByte
		d := &decoder{buf: raw, budget: &budget}
		k, err := readKind(d, kinds, want, seen)
		if err != nil {
			return err
		}
		if k.name <= last {
			return fmt.Errorf("section %s is out of order", k.name)
		}
		last = k.name
	}
	if uint64(len(seen)) != want {
		return fmt.Errorf("%d objects, %d announced", len(seen), want)
	}
	l.objects = make([]loadedObject, want)
	for r, o := range seen {
		l.objects[r-1] = o
	}
	return nil
}

func readHead(d *decoder) (objects uint64, slots []string) {
	objects = d.uint()
	n := d.uint()
	for i := uint64(0); i < n && d.err == nil; i++ {
		slots = append(slots, d.string())
	}
	switch {
	case d.err != nil:
	case objects == 0 || objects > maxObjects:
		d.fail(fmt.Errorf("an image of %d objects", objects))
	case len(d.buf) > 0:
		d.fail(errors.New("the head is too long"))
	}
	return objects, slots
}

// readKind reads one kind's section and makes its objects.
func readKind(d *decoder, kinds []Kind, want uint64, seen map[Ref]loadedObject) (*Kind, error) {
	s, err := readKindHead(d)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.name == s.name })
	if i < 0 {
		return nil, fmt.Errorf("the image holds %q, a kind that this program does not know", s.name)
	}
	k := &kinds[i]
	if s.version > k.version {
		return nil, fmt.Errorf("%s has version %d, this program knows %d", s.name, s.version, k.version)
	}
	for range s.count {
		r := d.uint()
		if d.err == nil && (r == 0 || r > want) {
			d.fail(fmt.Errorf("object number %d of %d", r, want))
		}
		if _, twice := seen[Ref(r)]; twice {
			d.fail(fmt.Errorf("object number %d appears twice", r))
		}
		if !d.charge(k.size) {
			break
		}
		img := reflect.New(k.image).Elem()
		if d.value(s.schema, img); d.err != nil {
			break
		}
		seen[Ref(r)] = loadedObject{obj: k.alloc(), kind: k, version: s.version, image: img}
	}
	if d.err == nil && len(d.buf) > 0 {
		d.fail(errors.New("bytes are left over"))
	}
	if d.err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, d.err)
	}
	return k, nil
}

// A kindHead is what a kind's section begins with.
type kindHead struct {
	name    string
	version uint32
	schema  *schema
	count   uint64
}

func readKindHead(d *decoder) (kindHead, error) {
	h := kindHead{name: d.string()}
	v, nodes := d.uint(), 0
	h.version, h.schema, h.count = uint32(v), d.schema(0, &nodes), 0
	if h.count = d.uint(); d.err == nil && h.count > uint64(len(d.buf)) {
		d.fail(errShort)
	}
	if d.err == nil && (h.schema.typ != typeStruct || v != uint64(h.version)) {
		d.fail(errors.New("its head makes no sense"))
	}
	if d.err != nil {
		return h, fmt.Errorf("kind %.64q: %w", h.name, d.err)
	}
	return h, nil
}
