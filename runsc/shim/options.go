package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/runsc/shim/driver"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Defaults of what options say.
const (
	defaultBinary = "runsc"
	defaultRoot   = "/run/containerd/runsc"
)

// options are a container's, from containerd's configuration or its client.
type options struct {
	driver.Runtime
	NoPivotRoot  bool   `json:"-"`
	NoNewKeyring bool   `json:"-"`
	ShimCgroup   string `json:"-"`
	IOUID, IOGID uint32 `json:"-"` // of a process's pipes
}

// A file is the configuration file that ConfigPath names, or its text in
// containerd's own configuration.
type file struct {
	BinaryName    string         `toml:"binary_name"`
	Root          string         `toml:"root"`
	SystemdCgroup bool           `toml:"systemd_cgroup"`
	ShimCgroup    string         `toml:"shim_cgroup"`
	Flags         map[string]any `toml:"runsc_config"`
}

// readOptions understands the two types that clients send: that of runc, and
// containerd's for runtimes with a file of their own. namespace is containerd's.
func readOptions(any *anypb.Any, namespace string) (*options, error) {
	o := &options{Runtime: driver.Runtime{Binary: defaultBinary}}
	root := ""
	switch name := typeName(any); {
	case name == "":
	case strings.HasSuffix(name, "runc.v1.Options"):
		var r runcoptions.Options
		if err := proto.Unmarshal(any.Value, &r); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
		if r.BinaryName != "" {
			o.Binary = r.BinaryName
		}
		root = r.Root
		o.IOUID, o.IOGID = r.IoUid, r.IoGid
		o.SystemdCgroup, o.NoPivotRoot, o.NoNewKeyring, o.ShimCgroup = r.SystemdCgroup, r.NoPivotRoot, r.NoNewKeyring, r.ShimCgroup
	case strings.HasSuffix(name, "runtimeoptions.v1.Options"):
		var r runtimeoptions.Options
		if err := proto.Unmarshal(any.Value, &r); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
		text, err := r.ConfigBody, error(nil)
		if r.ConfigPath != "" {
			text, err = os.ReadFile(r.ConfigPath)
		}
		if err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
		if root, err = o.fromFile(text); err != nil {
			return nil, fmt.Errorf("options%s: %w", colon(r.ConfigPath), err)
		}
	default:
		return nil, fmt.Errorf("options of type %q are unknown", any.TypeUrl)
	}
	if root == "" {
		root = defaultRoot
	}
	o.Root = filepath.Join(root, namespace)
	return o, nil
}

// typeName is a message's name, with or without the host before it.
func typeName(any *anypb.Any) string {
	url := any.GetTypeUrl()
	return url[strings.LastIndexByte(url, '/')+1:]
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// fromFile takes what a configuration's text says, and returns the root.
func (o *options) fromFile(text []byte) (root string, err error) {
	var f file
	if err := toml.Unmarshal(text, &f); err != nil {
		return "", err
	}
	if f.BinaryName != "" {
		o.Binary = f.BinaryName
	}
	o.SystemdCgroup, o.ShimCgroup = f.SystemdCgroup, f.ShimCgroup
	for _, name := range slices.Sorted(maps.Keys(f.Flags)) {
		switch v := f.Flags[name].(type) {
		case string, bool, int64:
			o.Flags = append(o.Flags, fmt.Sprintf("--%s=%v", name, v))
		default:
			return "", fmt.Errorf("runsc_config.%s: a flag is a string, a number or true or false", name)
		}
	}
	return f.Root, nil
}

// savedOptions is the file in a bundle that says how runsc is called for it.
const savedOptions = "runsc.json"

func (o *options) save(bundle string) error {
	data, err := json.Marshal(&o.Runtime)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle, savedOptions), data, 0o600)
}

// loadOptions reads them back. Without any, Create had not got that far.
func loadOptions(bundle, namespace string) (*options, error) {
	data, err := os.ReadFile(filepath.Join(bundle, savedOptions))
	if errors.Is(err, fs.ErrNotExist) {
		return readOptions(nil, namespace)
	}
	if err != nil {
		return nil, err
	}
	o := &options{}
	return o, json.Unmarshal(data, &o.Runtime)
}
