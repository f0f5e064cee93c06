package sentry

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// makeFiles makes the configuration's files.
func (c *Container) makeFiles() error {
	for i := range c.conf.Files {
		f := &c.conf.Files[i]
		if err := c.makeFile(f); err != nil {
			return &StartError{Message: "making " + f.Path + ": " + err.Error()}
		}
	}
	return nil
}

func (c *Container) makeFile(f *File) error {
	v := c.kernelCaller()
	d, err := vfs.Open(v, v.Root, f.Path, vfs.OpenHow{Flags: linux.O_CREAT | linux.O_WRONLY | linux.O_TRUNC, Mode: f.Mode})
	if err != nil {
		return err
	}
	defer d.DecRef()
	for data := f.Data; len(data) > 0; {
		src := usermem.OfBytes(data)
		n, err := d.Write(v, &src)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
