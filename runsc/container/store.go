package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Store is a directory with containers.
type Store struct {
	Root string
}

// Errors that commands act on.
var (
	ErrNotExist = errors.New("container does not exist")
	ErrExist    = errors.New("container with given ID already exists")
	ErrDamaged  = errors.New("the state of the container cannot be read")
)

// idForm is what an identifier may look like; as in runc.
var idForm = regexp.MustCompile(`^[\w+.-]+$`)

// maxID keeps the control socket's path and the cgroup's name within bounds.
const maxID = 1024

func checkID(id string) error {
	if id == "" {
		return errors.New("container id cannot be empty")
	}
	if !idForm.MatchString(id) || id == "." || id == ".." || len(id) > maxID || strings.HasPrefix(id, tempPrefix) {
		return fmt.Errorf("invalid container ID format: %s", id)
	}
	return nil
}

// tempPrefix starts the names of directories that are being made or removed.
const tempPrefix = ".new-"

func (s *Store) dir(id string) string { return filepath.Join(s.Root, id) }

// Load returns what is known of a container.
func (s *Store) Load(id string) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(s.dir(id), stateFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, ErrNotExist
	}
	path := filepath.Join(s.dir(id), stateFile)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EIO) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	c := &Container{store: s}
	if err := json.Unmarshal(data, &c.State); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	if c.State.ID != id {
		return nil, fmt.Errorf("%w: %s: it is that of %q", ErrDamaged, path, c.State.ID)
	}
	return c, nil
}

// Discard removes the directory of a container that cannot be loaded: another has
// damaged its state, or put a directory there. One whose sandbox answers stays.
func (s *Store) Discard(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if st, err := os.Lstat(s.dir(id)); err != nil || !st.IsDir() {
		return nil // there is no container of that name
	}
	c := &Container{State: State{ID: id}, store: s}
	if cl, err := c.Dial(); err == nil {
		cl.Close()
		return fmt.Errorf("container %s: its state is damaged, and its sandbox runs: end that first", id)
	}
	lock, err := s.lock(id, unix.LOCK_NB)
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return c.removeDir()
}

// List returns all containers whose state can be read, ordered by identifier.
func (s *Store) List() ([]*Container, error) { return s.ListAll(func(error) {}) }

// ListAll is List that tells bad of the others. What `do` left when it was killed is
// cleared away.
func (s *Store) ListAll(bad func(error)) ([]*Container, error) {
	entries, err := os.ReadDir(s.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Container
	for _, e := range entries {
		if !e.IsDir() || checkID(e.Name()) != nil {
			continue
		}
		c, err := s.Load(e.Name())
		if errors.Is(err, ErrNotExist) {
			continue
		}
		if errors.Is(err, ErrDamaged) {
			bad(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.State.Ephemeral && !c.State.Boot.Alive() && c.clearStale() {
			continue
		}
		all = append(all, c)
	}
	return all, nil
}

// clearStale removes what a killed `do` left, if nobody is at work on it.
func (c *Container) clearStale() bool {
	lock, err := c.store.lock(c.State.ID, unix.LOCK_NB)
	if err != nil {
		return false
	}
	defer lock.Close()
	return c.clear() == nil
}

// newDir makes a container's directory, locked, with its first state in it.
func (s *Store) newDir(st *State) (lock *os.File, err error) {
	if err := os.MkdirAll(s.Root, 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(s.Root, tempPrefix)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(tmp)
		}
	}()
	if lock, err = os.Open(tmp); err != nil {
		return nil, err
	}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = writeState(tmp, st)
	}
	if err == nil {
		err = s.moveIn(tmp, st.ID)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// moveIn gives a new directory its name, unless a container has it. What a
// crashed create or a killed do left under the name is cleared away.
func (s *Store) moveIn(tmp, id string) error {
	for range 2 {
		err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, s.dir(id), unix.RENAME_NOREPLACE)
		if err == nil {
			return nil
		}
		if err != unix.EEXIST {
			return &os.LinkError{Op: "rename", Old: tmp, New: s.dir(id), Err: err}
		}
		c, err := s.Load(id)
		if err != nil && !errors.Is(err, ErrNotExist) {
			return err
		}
		if c == nil {
			continue
		}
		stale := c.State.Creating || c.State.Ephemeral && !c.State.Boot.Alive()
		if !stale || !c.clearStale() {
			return ErrExist
		}
	}
	return ErrExist
}

// lock takes the container's lock; how is 0 to wait, or unix.LOCK_NB.
func (s *Store) lock(id string, how int) (*os.File, error) {
	for {
		f, err := os.Open(s.dir(id))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNotExist
		}
		if err != nil {
			return nil, err
		}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|how)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("locking container %s: %w", id, err)
		}
		// It may have been deleted, and made again, while we waited.
		mine, err1 := f.Stat()
		now, err2 := os.Stat(s.dir(id))
		if err1 == nil && err2 == nil && os.SameFile(mine, now) {
			return f, nil
		}
		f.Close()
	}
}

// sweepAge is how old an unlocked directory without a name has to be before
// it counts as left by a crash.
const sweepAge = time.Minute

// Sweep removes directories that a crash left before they had a name.
func (s *Store) Sweep() {
	entries, err := os.ReadDir(s.Root)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), tempPrefix) || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		path := filepath.Join(s.Root, e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(path)
		}
		f.Close()
	}
}
