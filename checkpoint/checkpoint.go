package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A Ref stands for a pointer to another object in an Image. Zero is nil.
type Ref uint32

// A Kind is one savable type. Object makes it.
type Kind struct {
	name    string
	version uint32
	live    reflect.Type // *T
	image   reflect.Type
	size    uint64

	alloc func() any
	save  func(*Saver, any) any
	load  func(l *Loader, obj, image any) error
}

// Object describes the live type T with the image type I. The name identifies
// the type in files forever: package.Type.
func Object[T, I any](name string, save func(*Saver, *T) I, load func(*Loader, *T, I) error) Kind {
	return Kind{
		name:    name,
		version: 1,
		live:    reflect.TypeFor[*T](),
		image:   reflect.TypeFor[I](),
		size:    uint64(reflect.TypeFor[T]().Size() + reflect.TypeFor[I]().Size()),
		alloc:   func() any { return new(T) },
		save:    func(s *Saver, obj any) any { return save(s, obj.(*T)) },
		load:    func(l *Loader, obj, image any) error { return load(l, obj.(*T), image.(I)) },
	}
}

// WithVersion is k with another version than 1, for when a field's meaning
// changes; loading asks Loader.Version.
func (k Kind) WithVersion(v uint32) Kind {
	k.version = v
	return k
}

// Name is the kind's name.
func (k Kind) Name() string { return k.name }

// A Saver collects the objects of one image.
type Saver struct {
	kinds   map[reflect.Type]*Kind
	refs    map[any]Ref
	objects []savedObject
	slots   map[string]bool
	current Ref
	errs    []error
}

type savedObject struct {
	obj    any
	kind   *Kind
	parent Ref
	image  reflect.Value
}

// Ref is the number of the object that p, a pointer or an interface holding one,
// points to. The first Ref to an object also queues it for saving. A pointer of
// no known kind makes Save fail with the path to it.
func (s *Saver) Ref(p any) Ref {
	if p == nil {
		return 0
	}
	v := reflect.ValueOf(p)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return 0
	}
	k := s.kinds[v.Type()]
	if k == nil {
		s.errs = append(s.errs, fmt.Errorf("%s refers to a %v, which is no registered kind", s.path(s.current), v.Type()))
		return 0
	}
	if r, ok := s.refs[p]; ok {
		return r
	}
	s.objects = append(s.objects, savedObject{obj: p, kind: k, parent: s.current})
	r := Ref(len(s.objects))
	s.refs[p] = r
	return r
}

// Slot notes that restoring needs an outside thing of this name, and returns the
// name for the image.
func (s *Saver) Slot(name string) string {
	s.slots[name] = true
	return name
}

// Fail makes Save fail: for state that cannot be saved, with the reason.
func (s *Saver) Fail(err error) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", s.path(s.current), err))
}

// path names the way from the root to an object by kinds.
func (s *Saver) path(r Ref) string {
	if r == 0 {
		return "the root"
	}
	var names []string
	for ; r != 0; r = s.objects[r-1].parent {
		names = append(names, fmt.Sprintf("%s#%d", s.objects[r-1].kind.name, r))
	}
	slices.Reverse(names)
	return strings.Join(names, " > ")
}

// Save writes the image of root and all that it refers to, compressed.
func Save(w io.Writer, kinds []Kind, root any) error { return save(w, kinds, root, flagZstd) }

// SavePlain is Save without compression: for tests and for looking at bytes.
func SavePlain(w io.Writer, kinds []Kind, root any) error { return save(w, kinds, root, 0) }

func save(w io.Writer, kinds []Kind, root any, flags uint32) error {
	kinds = slices.Clone(kinds)
	if err := checkKinds(kinds); err != nil {
		return err
	}
	s := &Saver{kinds: map[reflect.Type]*Kind{}, refs: map[any]Ref{}, slots: map[string]bool{}}
	for i := range kinds {
		s.kinds[kinds[i].live] = &kinds[i]
	}
	if s.Ref(root) == 0 {
		return errors.Join(append(s.errs, errors.New("checkpoint: no root"))...)
	}
	for i := 0; i < len(s.objects); i++ {
		s.current = Ref(i + 1)
		o := s.objects[i]
		s.objects[i].image = reflect.ValueOf(o.kind.save(s, o.obj))
	}
	if s.errs != nil {
		return fmt.Errorf("checkpoint: %w", errors.Join(s.errs...))
	}
	return s.write(w, kinds, flags)
}

func (s *Saver) write(w io.Writer, kinds []Kind, flags uint32) error {
	fw, err := newFileWriter(w, flags)
	if err != nil {
		return err
	}
	var e encoder
	e.uint(uint64(len(s.objects)))
	e.uint(uint64(len(s.slots)))
	for _, n := range slices.Sorted(maps.Keys(s.slots)) {
		e.string(n)
	}
	if err := fw.section(sectionHead, e.buf); err != nil {
		return err
	}
	byKind := map[*Kind][]Ref{}
	for i, o := range s.objects {
		byKind[o.kind] = append(byKind[o.kind], Ref(i+1))
	}
	for i := range kinds {
		k := s.kinds[kinds[i].live]
		refs := byKind[k]
		if refs == nil {
			continue
		}
		e.buf = e.buf[:0]
		e.string(k.name)
		e.uint(uint64(k.version))
		sc := schemaOf(k.image)
		sc.encode(&e)
		e.uint(uint64(len(refs)))
		for _, r := range refs {
			e.uint(uint64(r))
			e.value(s.objects[r-1].image)
		}
		if err := fw.section(sectionKind, e.buf); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return fw.section(sectionEnd, nil)
}

// checkKinds sorts kinds by name and refuses what could not be read back.
func checkKinds(kinds []Kind) error {
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.name, b.name) })
	for i, k := range kinds {
		if i > 0 && kinds[i-1].name == k.name {
			return fmt.Errorf("checkpoint: two kinds are named %s", k.name)
		}
		if k.image.Kind() != reflect.Struct {
			return fmt.Errorf("checkpoint: the image of %s is no struct", k.name)
		}
		if err := CheckPlain(k.image); err != nil {
			return fmt.Errorf("checkpoint: %s: %w", k.name, err)
		}
	}
	return nil
}
