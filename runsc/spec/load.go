package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ConfigFile is the configuration's name in a bundle.
const ConfigFile = "config.json"

// maxConfig bounds the configuration's size.
const maxConfig = 16 << 20

// Load reads and checks a bundle's configuration.
func Load(bundle string) (*specs.Spec, error) {
	path := filepath.Join(bundle, ConfigFile)
	f, err := open(path)
	if errors.Is(err, os.ErrNotExist) {
		// runc's words, which clients look for.
		return nil, fmt.Errorf("JSON specification file %s not found", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := Decode(data)
	if err == nil {
		err = Validate(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// open opens a file to read. A FIFO that nobody writes to is at its end.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// Read reads a file of a configuration's size at most.
func Read(f io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		return nil, fmt.Errorf("more than %d bytes", maxConfig)
	}
	return data, err
}

// ReadFile reads a file that a command names beside the configuration. It may be
// a pipe.
func ReadFile(path string) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// Decode parses a configuration. An error names the field whose value has the
// wrong type.
func Decode(data []byte) (*specs.Spec, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("more than %d bytes", maxConfig)
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, jsonError(err)
	}
	return &s, nil
}

// DecodeProcess parses a process, as `exec --process` gives it.
func DecodeProcess(data []byte) (*specs.Process, error) {
	var p specs.Process
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, jsonError(err)
	}
	if err := validateProcess(&p); err != nil {
		return nil, err
	}
	return &p, nil
}

func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		field := wrong.Field
		if field == "" {
			field = "the configuration"
		}
		return fmt.Errorf("%s: a JSON %s where %s is expected", field, wrong.Value, typeName(wrong.Type.String()))
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}

// typeName says a Go type in JSON's words.
func typeName(t string) string {
	switch t = strings.TrimLeft(t, "*"); {
	case t == "string":
		return "a string"
	case t == "bool":
		return "true or false"
	case strings.HasPrefix(t, "[]"):
		return "an array"
	case strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"), strings.HasPrefix(t, "float"):
		return "a number (" + t + ")"
	case strings.HasPrefix(t, "specs.Linux") && strings.HasSuffix(t, "Type"), strings.HasSuffix(t, "Action"):
		return "a string"
	}
	return "an object"
}
