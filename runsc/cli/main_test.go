package cli

import (
	"os"
	"testing"

	"cordon/runsc/boottest"
)

// The test binary is runsc too: with CORDON_TEST_RUNSC set, or as a process of
// a sandbox, it runs the command line with the stand-in for the Sentry.
func TestMain(m *testing.M) {
	if os.Getenv("CORDON_TEST_RUNSC") != "" || os.Getenv("CORDON_ZONE") != "" {
		os.Exit(Run(os.Args[1:], boottest.New))
	}
	os.Exit(m.Run())
}
