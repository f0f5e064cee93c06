package tty

// Groups returns who is told the terminal's signals, for the image of the
// terminal.
func (c *Control) Groups() Groups { return c.groups }
