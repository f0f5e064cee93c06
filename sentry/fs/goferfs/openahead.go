package goferfs

import "cordon/gofer/client"

const (
	// streakFrom is how many files of a directory have to be opened one after
	// the other before the ones behind them are opened too.
	streakFrom = 2
	// streakGap is how many names may lie between two of them.
	streakGap = 8
)

// openAhead is called to open in. If a program goes through the files of the
// directory, it opens those behind in too, in one round trip, and returns in's
// descriptor. -1: in is to be opened alone.
func (in *Inode) openAhead(write bool) int {
	if write || in.fs.shared {
		return -1
	}
	in.mu.Lock()
	parent, name, adrift := in.parent, in.name, in.adrift
	in.mu.Unlock()
	if parent == nil || adrift {
		return -1
	}
	batch := parent.behind(name)
	if len(batch) < 2 {
		return -1
	}
	before := in.fs.changes.Load()
	n, _, path, err := parent.nearest()
	if err != nil {
		return -1
	}
	defer n.release()
	got, err := n.node.OpenMany(path, batch)
	if err != nil {
		return -1
	}
	fd := -1
	for i, o := range got {
		switch {
		case i == 0 && in.is(&o.Attr):
			fd = o.FD
		case i == 0 || in.fs.changes.Load() != before:
			closeFD(o.FD)
		default:
			c := in.fs.inode(parent, batch[i], client.Step{Attr: o.Attr}, kept)
			c.install(o.FD, false)
			in.fs.idled(c)
		}
	}
	return fd
}

// behind notes that the file called name is opened, and returns its name and
// those of the files behind it if they are opened in order.
func (in *Inode) behind(name string) []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	l := in.namesLocked()
	if l == nil || l.find(name) == nil {
		return nil
	}
	at := l.index[name]
	switch first := !l.started; {
	case first && at < streakGap && in.fs.inOrder.Load():
		l.streak = streakFrom + 1 // as in the directory before
	case !first && at > l.opened && at <= l.opened+streakGap:
		l.streak++
	default:
		l.streak = 0
		in.fs.inOrder.Store(false)
	}
	l.opened, l.started = at, true
	if l.streak < streakFrom {
		return nil
	}
	in.fs.inOrder.Store(true)
	batch := []string{name}
	most := min(2*l.streak, client.MaxOpen)
	for i := at + 1; i < len(l.all) && i <= at+streakGap*client.MaxOpen && len(batch) < most; i++ {
		e := &l.all[i]
		if !e.gone && !e.distrusted && e.attr.nlink == 1 && e.isFile() {
			batch = append(batch, e.name)
			l.opened = i
		}
	}
	return batch
}
