package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Types of schema nodes, as they stand in files.
const (
	typeBool   = 1
	typeInt    = 2
	typeUint   = 3
	typeFloat  = 4
	typeString = 5
	typeBytes  = 6
	typeSlice  = 7
	typeArray  = 8
	typeStruct = 9
)

const (
	maxDepth  = 16
	maxFields = 1024
	maxNodes  = 1 << 14
)

// A schema is the type of a value in a file.
type schema struct {
	typ    uint64
	length uint64  // of an array
	elem   *schema // of a slice or array
	fields []field // of a struct
}

type field struct {
	name string
	typ  *schema
}

// schemaOf is the schema of a plain Go type.
func schemaOf(t reflect.Type) *schema {
	switch t.Kind() {
	case reflect.Bool:
		return &schema{typ: typeBool}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &schema{typ: typeInt}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{typ: typeUint}
	case reflect.Float32, reflect.Float64:
		return &schema{typ: typeFloat}
	case reflect.String:
		return &schema{typ: typeString}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &schema{typ: typeBytes}
		}
		return &schema{typ: typeSlice, elem: schemaOf(t.Elem())}
	case reflect.Array:
		return &schema{typ: typeArray, length: uint64(t.Len()), elem: schemaOf(t.Elem())}
	case reflect.Struct:
		s := &schema{typ: typeStruct}
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				s.fields = append(s.fields, field{f.Name, schemaOf(f.Type)})
			}
		}
		return s
	}
	panic("checkpoint: schema of a type that CheckPlain refuses: " + t.String())
}

func (s *schema) encode(e *encoder) {
	e.uint(s.typ)
	switch s.typ {
	case typeSlice:
		s.elem.encode(e)
	case typeArray:
		e.uint(s.length)
		s.elem.encode(e)
	case typeStruct:
		e.uint(uint64(len(s.fields)))
		for _, f := range s.fields {
			e.string(f.name)
			f.typ.encode(e)
		}
	}
}

// hasWidth reports whether every value of s takes at least a byte. What takes
// none could be repeated without end in a short file.
func (s *schema) hasWidth() bool {
	switch s.typ {
	case typeArray:
		return s.length > 0
	case typeStruct:
		for _, f := range s.fields {
			if f.typ.hasWidth() {
				return true
			}
		}
		return false
	}
	return true
}

// schema reads a schema.
func (d *decoder) schema(depth int, nodes *int) *schema {
	if *nodes++; depth > maxDepth || *nodes > maxNodes {
		d.fail(errors.New("a schema is too large"))
		return nil
	}
	s := &schema{typ: d.uint()}
	switch s.typ {
	case typeBool, typeInt, typeUint, typeFloat, typeString, typeBytes:
	case typeSlice, typeArray:
		if s.typ == typeArray {
			s.length = d.uint()
		}
		if s.elem = d.schema(depth+1, nodes); d.err == nil && !s.elem.hasWidth() {
			d.fail(errors.New("a schema repeats an empty type"))
		}
	case typeStruct:
		n := d.uint()
		if n > maxFields {
			d.fail(fmt.Errorf("a struct of %d fields", n))
		}
		for i := uint64(0); i < n && d.err == nil; i++ {
			name := d.string()
			s.fields = append(s.fields, field{name, d.schema(depth+1, nodes)})
		}
	default:
		d.fail(fmt.Errorf("unknown type %d in a schema", s.typ))
	}
	return s
}

// String writes s in Go's manner.
func (s *schema) String() string {
	switch s.typ {
	case typeSlice:
		return "[]" + s.elem.String()
	case typeArray:
		return fmt.Sprintf("[%d]%s", s.length, s.elem)
	case typeStruct:
		var b strings.Builder
		b.WriteString("{")
		for i, f := range s.fields {
			if i > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "%s %s", f.name, f.typ)
		}
		return b.String() + "}"
	}
	return [...]string{typeBool: "bool", typeInt: "int", typeUint: "uint", typeFloat: "float", typeString: "string", typeBytes: "[]byte"}[s.typ]
}
