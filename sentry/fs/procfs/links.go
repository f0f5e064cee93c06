package procfs

import (
	"cordon/internal/linux"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// looked returns the task for a link that only those may use who may look into
// the process. A task that has given up what the link leads to is ENOENT.
func looked(c *vfs.Caller, p *proc) (*task.Task, error) {
	t, err := p.access(c)
	if err != nil {
		return nil, err
	}
	if s := t.State(); s == 'Z' || s == 'X' {
		return nil, linux.ENOENT
	}
	return t, nil
}

func followCwd(c *vfs.Caller, p *proc) (vfs.Path, error) {
	t, err := looked(c, p)
	if err != nil {
		return vfs.Path{}, err
	}
	_, cwd, _ := t.FS().Get()
	return cwd, nil
}

func followRoot(c *vfs.Caller, p *proc) (vfs.Path, error) {
	t, err := looked(c, p)
	if err != nil {
		return vfs.Path{}, err
	}
	root, _, _ := t.FS().Get()
	return root, nil
}

func followExe(c *vfs.Caller, p *proc) (at vfs.Path, err error) {
	t, err := looked(c, p)
	if err != nil {
		return vfs.Path{}, err
	}
	withTaskMM(t, func(m *mm.MemoryManager) {
		f := m.ExeFile()
		if f == nil {
			return
		}
		if d, ok := f.(*vfs.Description); ok {
			at = d.Path()
		}
		f.DecRef()
	})
	if !at.Valid() {
		return at, linux.ENOENT
	}
	return at, nil
}

func readCwd(c *vfs.Caller, p *proc) (string, error)  { return name(c, p, followCwd) }
func readRoot(c *vfs.Caller, p *proc) (string, error) { return name(c, p, followRoot) }
func readExe(c *vfs.Caller, p *proc) (string, error)  { return name(c, p, followExe) }

// name is the text of a magic link.
func name(c *vfs.Caller, p *proc, follow func(*vfs.Caller, *proc) (vfs.Path, error)) (string, error) {
	at, err := follow(c, p)
	if err != nil {
		return "", err
	}
	return at.Name(c.Root), nil
}
