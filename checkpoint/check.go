package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// CheckCovered reports the fields of the live type L that its image type I
// neither carries (by the same name, whatever the case) nor excused explains,
// and excuses for fields that do not exist or need none. A test of each package
// with images calls it.
func CheckCovered[L, I any](excused map[string]string) error {
	lt, it := reflect.TypeFor[L](), reflect.TypeFor[I]()
	saved := map[string]bool{}
	for i := range it.NumField() {
		saved[strings.ToLower(it.Field(i).Name)] = true
	}
	var errs []error
	live := map[string]bool{}
	for i := range lt.NumField() {
		n := lt.Field(i).Name
		live[n] = true
		in, why := saved[strings.ToLower(n)], excused[n]
		switch {
		case n == "_":
		case !in && why == "":
			errs = append(errs, fmt.Errorf("%v.%s is neither in %v nor excused", lt, n, it))
		case in && why != "":
			errs = append(errs, fmt.Errorf("%v.%s is excused but in %v", lt, n, it))
		}
	}
	for n := range excused {
		if !live[n] {
			errs = append(errs, fmt.Errorf("%v has no field %s to excuse", lt, n))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// CheckPlain reports what in an image type is no plain data: pointers, channels,
// functions, interfaces, maps (they have no order), fields that are not
// exported, and types that contain themselves.
func CheckPlain(t reflect.Type) error { return checkPlain(t, nil) }

func checkPlain(t reflect.Type, within []reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer,
		reflect.Uintptr, reflect.Complex64, reflect.Complex128, reflect.Invalid:
		return fmt.Errorf("%v is not plain data", t)
	case reflect.Map:
		return fmt.Errorf("%v: maps have no order; use a sorted slice", t)
	case reflect.Slice, reflect.Array:
		if !schemaWidth(t.Elem(), len(within)) {
			return fmt.Errorf("%v repeats an empty type", t)
		}
		return checkPlain(t.Elem(), within)
	case reflect.Struct:
		if slices.Contains(within, t) || len(within) >= maxDepth/2 {
			return fmt.Errorf("%v contains itself or is nested too deep; use a Ref", t)
		}
		within = append(slices.Clone(within), t)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" {
				continue
			}
			if !f.IsExported() {
				return fmt.Errorf("%v.%s is not exported", t, f.Name)
			}
			if err := checkPlain(f.Type, within); err != nil {
				return fmt.Errorf("%v.%s: %w", t, f.Name, err)
			}
		}
	}
	return nil
}

// schemaWidth is schema.hasWidth of a Go type that may still be refused.
func schemaWidth(t reflect.Type, depth int) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).Name != "_" && (depth > maxDepth || schemaWidth(t.Field(i).Type, depth+1)) {
				return true
			}
		}
		return false
	}
	return true
}
