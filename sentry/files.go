package sentry

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// makeFiles makes the configuration's files.
func (k *Kernel) makeFiles() error {
	for i := range k.cfg.Files {
		f := &k.cfg.Files[i]
		if err := k.makeFile(f); err != nil {
			return &StartError{Message: "making " + f.Path + ": " + err.Error()}
		}
	}
	return nil
}

func (k *Kernel) makeFile(f *File) error {
	c := k.kernelCaller()
	d, err := vfs.Open(c, c.Root, f.Path, vfs.OpenHow{Flags: linux.O_CREAT | linux.O_WRONLY | linux.O_TRUNC, Mode: f.Mode})
	if err != nil {
		return err
	}
	defer d.DecRef()
	for data := f.Data; len(data) > 0; {
		src := usermem.OfBytes(data)
		n, err := d.Write(c, &src)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
