package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"cordon/runsc/boot"
	"cordon/runsc/container"

	"golang.org/x/sys/unix"
)

// imageFile is the checkpoint's name in the directory of --image-path.
const imageFile = "checkpoint.img"

// markFile is what Podman knows a directory with a whole checkpoint by: the first of
// CRIU's files.
const markFile = "inventory.img"

// criuFlags are options of CRIU that make no difference here: everything of a
// sandbox is saved, connections and locks too, by the Sentry itself.
func criuFlags(fs *flag.FlagSet) {
	var ignored string
	var no bool
	fs.StringVar(&ignored, "work-path", "", "accepted for runc's sake: there are no work files")
	fs.StringVar(&ignored, "manage-cgroups-mode", "soft", "accepted for runc's sake: cgroups are made from the configuration")
	fs.StringVar(&ignored, "empty-ns", "", "accepted for runc's sake: namespaces are the guest kernel's")
	for _, name := range []string{"tcp-established", "ext-unix-sk", "shell-job", "file-locks", "auto-dedup"} {
		fs.BoolVar(&no, name, false, "accepted for runc's sake: done in any case")
	}
}

// openImage opens a checkpoint, which is a regular file.
func openImage(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	return f, nil
}

func checkpointCommand() *command {
	return &command{
		name: "checkpoint", args: "[flags] ID", summary: "write a running container's state to a file",
		examples: []string{"runsc checkpoint --image-path /var/ck/web web", "runsc checkpoint --leave-running --image-path /var/ck/web web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			dir := fs.String("image-path", "checkpoint", "`DIR` for the image")
			leave := fs.Bool("leave-running", false, "let the container go on")
			refused := map[string]*bool{
				"lazy-pages": fs.Bool("lazy-pages", false, "not supported"),
				"pre-dump":   fs.Bool("pre-dump", false, "not supported"),
			}
			parent := fs.String("parent-path", "", "not supported")
			server := fs.String("page-server", "", "not supported")
			fs.Int("status-fd", -1, "not supported, as --lazy-pages")
			criuFlags(fs)
			return func(g *globals, args []string) (int, error) {
				for name, given := range refused {
					if *given {
						return 0, fmt.Errorf("--%s: not supported", name)
					}
				}
				if *parent != "" || *server != "" {
					return 0, errors.New("--parent-path, --page-server: not supported")
				}
				return 0, checkpoint(g, args[0], *dir, *leave)
			}
		},
	}
}

func checkpoint(g *globals, id, dir string, leave bool) error {
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	switch s := c.Status(); s {
	case "running", "paused":
	default:
		return fmt.Errorf("container cannot be checkpointed in %s state", s)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, imageFile)
	write := writeImage
	if !leave {
		write = writeLastImage
	}
	if err := write(c, path); err != nil {
		return fmt.Errorf("criu failed: %w", err) // the words that clients of runc look for
	}
	if err := os.WriteFile(filepath.Join(dir, markFile), []byte("runsc: the state is in "+imageFile+"\n"), 0o600); err != nil {
		return err
	}
	if leave {
		return nil
	}
	return deleteContainer(g, c, true)
}

// writeLastImage is writeImage for a container that does nothing more here, and says
// nothing more to its peers: it is going to go on from where it was saved.
func writeLastImage(c *container.Container, path string) error {
	paused := c.Status() == "paused"
	if !paused {
		if err := c.Call(boot.OpPause, nil, nil); err != nil {
			return err
		}
	}
	err := c.Call(boot.OpCutOff, nil, nil)
	if err == nil {
		err = writeImage(c, path)
	}
	if err == nil {
		return nil
	}
	err = errors.Join(err, c.Call(boot.OpReconnect, nil, nil))
	if !paused {
		err = errors.Join(err, c.Call(boot.OpResume, nil, nil))
	}
	return err
}

// writeImage saves the container into a file that appears whole.
func writeImage(c *container.Container, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".checkpoint")
	if err != nil {
		return err
	}
	defer f.Close()
	err = c.Call(boot.OpSave, nil, nil, int(f.Fd()))
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func restoreCommand() *command {
	return &command{
		name: "restore", args: "[flags] ID", summary: "make a container of a state that checkpoint has written",
		examples: []string{"runsc restore --image-path /var/ck/web --bundle /containers/web web", "runsc restore -d -b . --image-path ck web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			c := &createFlags{}
			c.declareRun(fs)
			dir := fs.String("image-path", "checkpoint", "`DIR` with the image")
			lazy := fs.Bool("lazy-pages", false, "not supported")
			var ignored string
			fs.StringVar(&ignored, "lsm-profile", "", "accepted for runc's sake: no security module acts inside a sandbox")
			fs.StringVar(&ignored, "lsm-mount-context", "", "accepted for runc's sake")
			criuFlags(fs)
			return func(g *globals, args []string) (int, error) {
				if *lazy {
					return 0, errors.New("--lazy-pages: not supported")
				}
				c.image = filepath.Join(*dir, imageFile)
				return c.run(g, args[0])
			}
		},
	}
}
