package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed guest/ways.c
var waysSource string

// ways prints what this host's ways of catching and handing over a call cost: what
// platforms are built of, without any of them.
func (b *bench) ways() error {
	source, program := filepath.Join(b.dir, "ways.c"), filepath.Join(b.dir, "ways")
	if err := os.WriteFile(source, []byte(waysSource), 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc ways.c: %v\n%s", err, out)
	}
	cmd := exec.Command(program)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
