package main

import (
	"strings"
	"testing"
)

const perfScript = `exe  41
	ffffffff81001000 do_syscall_64
	          46a0ef runtime.futex
	          7c1234 cordon/sentry/task.(*Task).run

sh  41
	          7c1200 cordon/sentry/task.(*Task).run

exe  42
	          46a0ee internal/runtime/syscall/linux.Syscall6
	          9c1234 cordon/gofer/server.(*conn).serve

cordon-stub  50
	    7fffffff872c [unknown]

swapper     0
	ffffffff81002000 pv_native_safe_halt

exe  70
	          46a0ef [unknown]

two words  60
	          401000 main

a-command-of-16  61
	          401000 main

`

func TestProfilesTellProcessesApart(t *testing.T) {
	p := parseSamples(strings.NewReader(perfScript), "a-command-of-16-bytes")
	var folded strings.Builder
	p.fold(&folded)
	want := `Sentry;cordon/sentry/task.(*Task).run 1
Sentry;cordon/sentry/task.(*Task).run;runtime.futex;do_syscall_64_[k] 1
a-command-of-16;main 1
gofer;cordon/gofer/server.(*conn).serve;internal/runtime/syscall/linux.Syscall6 1
guest;0x7fffffff8... 1
`
	if folded.String() != want {
		t.Errorf("folded:\n%s\nwant:\n%s", folded.String(), want)
	}
	var table strings.Builder
	p.print(&table, "")
	for _, line := range []string{"12 % idle, 25 % in other processes", " 20.0  Sentry, host kernel", " 20.0  Sentry, user", " 40.0  Sentry  cordon/sentry/task.(*Task).run", " 20.0  Sentry  do_syscall_64", " 20.0  futexes of the host"} {
		if !strings.Contains(table.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, table.String())
		}
	}
}
