package loader

import (
	"strings"

	"cordon/internal/linux"
)

// headSize is how much of a file decides what it is (Linux: BINPRM_BUF_SIZE).
const headSize = 256

// maxScripts is how many scripts may interpret each other.
const maxScripts = 5

// parseScript takes the interpreter and its one argument from a "#!" line
// (execve(2); Linux: fs/binfmt_script.c load_script).
func parseScript(head []byte) (interp, arg string, err error) {
	line := head[2:]
	if i := strings.IndexByte(string(line), '\n'); i >= 0 {
		line = line[:i]
	} else if len(head) == headSize {
		// The line is cut. Only its argument may be.
		rest := strings.TrimLeft(string(line), " \t")
		if !strings.ContainsAny(rest, " \t\x00") {
			return "", "", linux.ENOEXEC
		}
	}
	text := string(line[:cstrlen(line)])
	text = strings.Trim(text, " \t")
	if text == "" {
		return "", "", linux.ENOEXEC
	}
	interp = text
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		interp, arg = text[:i], strings.Trim(text[i:], " \t")
	}
	return interp, arg, nil
}
