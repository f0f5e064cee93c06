package idle

import "testing"

// What was dropped comes back from the file: the program goes on, with the
// same constants and code.
func TestProgramGoesOnAfterSettling(t *testing.T) {
	text := "a constant in the binary's read-only data"
	before := []byte(text)
	for range 3 {
		settle()
		if string(before) != text {
			t.Fatal("a constant has changed")
		}
	}
}
