package ptrace

// placement is where a context's two threads are bound.
type placement struct {
	bound bool
	cpu   int
}

// cpus chooses the processors that guest threads run on.
type cpus struct{}

func newCPUs() *cpus       { return &cpus{} }
func (p *cpus) start() int { return currentCPU() }
func (p *cpus) stop()      {}

// bind puts a stub thread beside its tracer.
func (p *cpus) bind(c *Context, tid int32) {
	if !c.home.bound {
		c.home = placement{true, c.cpu}
		setAffinity(0, c.home.cpu)
	}
	setAffinity(tid, c.home.cpu)
}

func (p *cpus) enter(c *Context) {}
func (p *cpus) exit(c *Context)  {}
func (p *cpus) leave(c *Context) {}
