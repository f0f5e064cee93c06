// Sysdoc writes docs/syscalls.md from the table of system calls. It runs at the
// top of the source tree; -print writes to standard output instead.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"

	"cordon/sentry/syscalls"
)

func main() {
	printOnly := flag.Bool("print", false, "write to standard output")
	flag.Parse()
	text, err := page("sentry/syscalls")
	if err == nil && *printOnly {
		_, err = os.Stdout.Write(text)
	} else if err == nil {
		err = os.WriteFile("docs/syscalls.md", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sysdoc:", err)
		os.Exit(1)
	}
}

// page is the whole page. The signatures come from the source in dir.
func page(dir string) ([]byte, error) {
	sigs, err := signatures(dir)
	if err != nil {
		return nil, err
	}
	var count [3]int
	var rows bytes.Buffer
	number := func(n int) string {
		if n < 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	for i := range syscalls.Table {
		r := &syscalls.Table[i]
		count[r.Support]++
		support := strings.ToLower(r.Support.String())
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s | %s |\n", number(r.AMD64), number(r.ARM64), r.Name, sigs[r.Name],
			support, strings.ReplaceAll(r.Note, "|", `\|`))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# System calls\n\nGenerated from the table in sentry/syscalls by `go run ./cmd/sysdoc`. Every call of Linux 6.12 has a row:\n"+
		"%d work in full, %d in part (the note says what does not), %d do not exist\n(ENOSYS, or the errno of the note), of %d.\n\n",
		count[syscalls.Full], count[syscalls.Partial], count[syscalls.None], len(syscalls.Table))
	b.WriteString("| amd64 | arm64 | call | parameters | support | note |\n|---|---|---|---|---|---|\n")
	b.Write(rows.Bytes())
	return b.Bytes(), nil
}
