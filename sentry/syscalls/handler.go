package syscalls

import (
	"reflect"

	"cordon/sentry/arg"
	"cordon/sentry/task"
)

// Support says how much of a call works.
type Support uint8

const (
	// None: the call is ENOSYS, or the errno its note gives.
	None Support = iota
	// Partial: what the note says does not work.
	Partial
	// Full: it does what Linux does.
	Full
)

func (s Support) String() string { return [...]string{"None", "Partial", "Full"}[s] }

// A Handler runs one call; args are the types of its parameters.
type Handler struct {
	call func(*task.Task, *[6]uintptr) (uintptr, error)
	args []reflect.Type
}

// A Row is one system call. A number of -1 means that the architecture lacks
// it.
type Row struct {
	AMD64, ARM64 int
	Name         string
	Handler
	Support
	Note string
}

// types lists the parameters after the task.
func types(fn any) []reflect.Type {
	ft := reflect.TypeOf(fn)
	var a []reflect.Type
	for i := 1; i < ft.NumIn(); i++ {
		a = append(a, ft.In(i))
	}
	return a
}

type result = uintptr

func h0(fn func(*task.Task) (result, error)) Handler {
	return Handler{func(t *task.Task, _ *[6]uintptr) (result, error) { return fn(t) }, nil}
}

func h1[A arg.Value](fn func(*task.Task, A) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) { return fn(t, A(r[0])) }, types(fn)}
}

func h2[A, B arg.Value](fn func(*task.Task, A, B) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) { return fn(t, A(r[0]), B(r[1])) }, types(fn)}
}

func h3[A, B, C arg.Value](fn func(*task.Task, A, B, C) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) {
		return fn(t, A(r[0]), B(r[1]), C(r[2]))
	}, types(fn)}
}

func h4[A, B, C, D arg.Value](fn func(*task.Task, A, B, C, D) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) {
		return fn(t, A(r[0]), B(r[1]), C(r[2]), D(r[3]))
	}, types(fn)}
}

func h5[A, B, C, D, E arg.Value](fn func(*task.Task, A, B, C, D, E) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) {
		return fn(t, A(r[0]), B(r[1]), C(r[2]), D(r[3]), E(r[4]))
	}, types(fn)}
}

func h6[A, B, C, D, E, F arg.Value](fn func(*task.Task, A, B, C, D, E, F) (result, error)) Handler {
	return Handler{func(t *task.Task, r *[6]uintptr) (result, error) {
		return fn(t, A(r[0]), B(r[1]), C(r[2]), D(r[3]), E(r[4]), F(r[5]))
	}, types(fn)}
}

// ok is the result of a call that returns 0 or an errno. A zero Errno must not
// become a non-nil error.
func ok(e interface{ Error() string }) (uintptr, error) {
	if isZero(e) {
		return 0, nil
	}
	return 0, e
}
