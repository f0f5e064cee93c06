package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
)

type encoder struct{ buf []byte }

func (e *encoder) uint(v uint64) { e.buf = binary.AppendUvarint(e.buf, v) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// value writes v in the form that schemaOf(v.Type()) describes.
func (e *encoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		b := byte(0)
		if v.Bool() {
			b = 1
		}
		e.buf = append(e.buf, b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.buf = binary.AppendVarint(e.buf, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.uint(v.Uint())
	case reflect.Float32, reflect.Float64:
		e.buf = binary.LittleEndian.AppendUint64(e.buf, math.Float64bits(v.Float()))
	case reflect.String:
		e.string(v.String())
	case reflect.Slice:
		e.uint(uint64(v.Len()))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			e.buf = append(e.buf, v.Bytes()...)
			return
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			e.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "_" {
				e.value(v.Field(i))
			}
		}
	}
}

var errShort = errors.New("the data ends early")

// A decoder reads from hostile bytes; after the first error it yields zeros.
type decoder struct {
	buf []byte
	err error
	// budget is how many bytes may still be allocated, shared by a whole image.
	budget *uint64
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.buf = nil
}

// charge pays for an allocation of n bytes.
func (d *decoder) charge(n uint64) bool {
	if n > *d.budget {
		d.fail(errors.New("the image needs too much memory for its size"))
		return false
	}
	*d.budget -= n
	return d.err == nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.buf)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// take is the next n bytes.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.buf)) {
		d.fail(errShort)
		return nil
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) string() string { return string(d.take(d.uint())) }

// value reads a value of schema s into v, or skips it if v is the zero Value.
func (d *decoder) value(s *schema, v reflect.Value) {
	if d.err != nil {
		return
	}
	switch s.typ {
	case typeBool:
		b := d.take(1)
		if d.err == nil && d.fits(s, v, reflect.Bool, reflect.Bool) {
			v.SetBool(b[0] != 0)
		}
	case typeInt:
		if i := d.int(); d.fits(s, v, reflect.Int, reflect.Int64) {
			if v.OverflowInt(i) {
				d.fail(fmt.Errorf("%d does not fit into %v", i, v.Type()))
				return
			}
			v.SetInt(i)
		}
	case typeUint:
		if u := d.uint(); d.fits(s, v, reflect.Uint, reflect.Uint64) {
			if v.OverflowUint(u) {
				d.fail(fmt.Errorf("%d does not fit into %v", u, v.Type()))
				return
			}
			v.SetUint(u)
		}
	case typeFloat:
		b := d.take(8)
		if d.err == nil && d.fits(s, v, reflect.Float32, reflect.Float64) {
			v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case typeString:
		b := d.take(d.uint())
		if d.fits(s, v, reflect.String, reflect.String) && d.charge(uint64(len(b))) {
			v.SetString(string(b))
		}
	case typeBytes:
		b := d.take(d.uint())
		if d.fits(s, v, reflect.Slice, reflect.Slice) {
			d.setBytes(v, b)
		}
	default:
		d.composite(s, v)
	}
}

func (d *decoder) setBytes(v reflect.Value, b []byte) {
	if v.Type().Elem().Kind() != reflect.Uint8 {
		d.fail(fmt.Errorf("bytes do not fit into %v", v.Type()))
		return
	}
	if len(b) > 0 && d.charge(uint64(len(b))) {
		v.SetBytes(append([]byte(nil), b...))
	}
}

func (d *decoder) composite(s *schema, v reflect.Value) {
	switch s.typ {
	case typeSlice:
		n := d.uint()
		if n > uint64(len(d.buf)) {
			d.fail(errShort)
		}
		if n > 0 && d.fits(s, v, reflect.Slice, reflect.Slice) {
			if !d.charge(n * uint64(v.Type().Elem().Size())) {
				return
			}
			v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
		}
		d.elements(s, n, v)
	case typeArray:
		if d.fits(s, v, reflect.Array, reflect.Array) && uint64(v.Len()) != s.length {
			d.fail(fmt.Errorf("an array of %d does not fit into %v", s.length, v.Type()))
		}
		d.elements(s, s.length, v)
	case typeStruct:
		d.fits(s, v, reflect.Struct, reflect.Struct)
		for _, f := range s.fields {
			var fv reflect.Value
			if v.IsValid() && d.err == nil && f.name != "_" {
				fv = v.FieldByName(f.name)
			}
			if d.value(f.typ, fv); d.err != nil {
				d.err = fmt.Errorf("%s: %w", f.name, d.err)
				return
			}
		}
	}
}

func (d *decoder) elements(s *schema, n uint64, v reflect.Value) {
	for i := uint64(0); i < n && d.err == nil; i++ {
		var ev reflect.Value
		if v.IsValid() {
			ev = v.Index(int(i))
		}
		d.value(s.elem, ev)
	}
}

// fits reports whether a value of schema s is wanted, and fails if v cannot hold
// it.
func (d *decoder) fits(s *schema, v reflect.Value, low, high reflect.Kind) bool {
	if d.err != nil || !v.IsValid() {
		return false
	}
	if k := v.Kind(); k < low || k > high {
		d.fail(fmt.Errorf("%v in the image is %v in this program", s, v.Type()))
		return false
	}
	return true
}
