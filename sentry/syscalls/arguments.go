package syscalls

import "reflect"

// Arguments returns the types of the call's parameters, without the task. A row
// of a call that does not exist has none.
func (h Handler) Arguments() []reflect.Type { return h.args }
