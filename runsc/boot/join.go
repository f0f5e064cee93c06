package boot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

// A container has a keeper, a host process with its pid. Between the Sentry and
// the keeper is a stream socket: the Sentry writes the exit code of the first
// process, as four bytes, and the keeper the numbers of signals that came to it, a
// byte each. When the keeper is gone, so is the container. Only a sandbox's first
// container may be without one: its pid is the boot process's.

// A tenant is a member with its keeper.
type tenant struct {
	*member

	// immutable
	keeper int           // -1 for none
	tty    int           // the host's terminal, or -1
	gone   chan struct{} // closed when nothing of it is left
}

// isGone reports whether nothing of the container is left.
func (t *tenant) isGone() bool {
	select {
	case <-t.gone:
		return true
	default:
		return false
	}
}

func closeIf(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// maxJoined bounds the containers of one sandbox.
const maxJoined = 1024

// take returns the call's descriptor at place i of its list, -1 for none.
func take(fds []int, i int) int {
	if i < 0 || i >= len(fds) {
		return -1
	}
	fd := fds[i]
	fds[i] = -1
	return fd
}

// create performs OpCreate.
func (b *box) create(c *control.Call) error {
	var a CreateArgs
	if err := c.Decode(&a); err != nil {
		return err
	}
	fds := c.TakeFDs()
	defer func() {
		for _, fd := range fds {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	}()
	if err := b.reserve(a.Container.ID); err != nil {
		return err
	}
	t, err := b.makeTenant(&a, fds)
	b.mu.Lock()
	if err != nil {
		delete(b.joined, a.Container.ID)
		b.fewer.Broadcast()
	} else {
		b.joined[t.id] = t
	}
	ended := b.ended
	b.mu.Unlock()
	if err != nil {
		return err
	}
	go t.watchKeeper()
	go b.live(t)
	if ended {
		t.kill()
	}
	return nil
}

// reserve takes a container's name, with nothing behind it yet.
func (b *box) reserve(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, taken := b.joined[id]
	if old != nil && old.isGone() {
		taken = false // whoever made it has forgotten to destroy it
	}
	switch {
	case id == "" || id == b.first.id && !b.first.isGone() || taken:
		return fmt.Errorf("the sandbox has a container %q", id)
	case len(b.joined) >= maxJoined:
		return errors.New("the sandbox has too many containers")
	case b.ended:
		return errors.New("the sandbox is ending")
	}
	b.joined[id] = nil
	return nil
}

func (b *box) makeTenant(a *CreateArgs, fds []int) (*tenant, error) {
	keeper := take(fds, a.Keeper)
	heraldFD := take(fds, a.Herald)
	if keeper < 0 {
		closeIf(heraldFD)
		return nil, errors.New("a container that joins needs a keeper")
	}
	got := ContainerFDs{Gofer9P: take(fds, a.FDs.Gofer9P), GoferDonate: take(fds, a.FDs.GoferDonate), Mounter: take(fds, a.FDs.Mounter),
		Network: take(fds, a.FDs.Network)}
	for i, n := range a.FDs.Stdio {
		got.Stdio[i] = take(fds, n)
	}
	for _, n := range a.FDs.Passed {
		got.Passed = append(got.Passed, take(fds, n))
	}
	g, err := b.kernel.Add(&a.Container, got)
	if err != nil {
		unix.Close(keeper)
		closeIf(heraldFD)
		return nil, err
	}
	t := &tenant{member: newMember(a.Container.ID, g), keeper: keeper, tty: -1, gone: make(chan struct{})}
	t.herald = newHerald(heraldFD, g)
	if a.Container.Process.Terminal {
		t.tty = got.Stdio[0]
	}
	return t, nil
}

// live waits for the container's end and tells the keeper once nothing of it
// is left.
func (b *box) live(t *tenant) {
	code := t.await()
	b.kernel.Remove(t.guest)
	t.herald.end()
	t.tell(code)
	b.mu.Lock()
	defer b.mu.Unlock()
	close(t.gone)
	b.fewer.Broadcast()
}

// tell has the keeper end with an exit code.
func (t *tenant) tell(code int) {
	if t.keeper < 0 {
		return
	}
	// A keeper that is gone needs no telling.
	unix.Write(t.keeper, binary.LittleEndian.AppendUint32(nil, uint32(code)))
	unix.Shutdown(t.keeper, unix.SHUT_RDWR) // ends watchKeeper
}

// watchKeeper passes on the signals that come to the keeper, and ends the
// container when the keeper is gone.
func (t *tenant) watchKeeper() {
	buf := make([]byte, 64)
	for {
		n, err := unix.Read(t.keeper, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		for _, sig := range buf[:n] {
			if syscall.Signal(sig) == syscall.SIGWINCH && t.tty >= 0 {
				resizeFrom(t.tty, t.guest)
				continue
			}
			// Gone already: nobody is left to tell.
			_ = t.signal(SignalArgs{PID: InitPID, Signal: int(sig)})
		}
	}
	t.kill()
	<-t.gone
	unix.Close(t.keeper)
}

// member returns the container that a call is for.
func (b *box) member(c *control.Call) (*member, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.joined[c.To]; t != nil {
		return t.member, nil
	}
	if c.To == "" || c.To == b.first.id {
		return b.first.member, nil
	}
	return nil, fmt.Errorf("the sandbox has no container %q", c.To)
}

// destroy performs OpDestroy.
func (b *box) destroy(id string) error {
	b.mu.Lock()
	t := b.joined[id]
	if _, joined := b.joined[id]; !joined && (id == "" || id == b.first.id) {
		t = b.first
	}
	b.mu.Unlock()
	if t == nil {
		return nil
	}
	if t.keeper < 0 {
		return errors.New("the first container ends with its sandbox")
	}
	t.kill()
	<-t.gone
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.joined[id] == t {
		delete(b.joined, id)
	}
	return nil
}

// goOn says, when the first container has ended, whether the sandbox goes on for
// others. If not, none can join any more.
func (b *box) goOn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = b.first.keeper < 0 || !b.inhabitedLocked()
	return !b.ended
}

// outlast waits for the end of all containers that have joined.
func (b *box) outlast() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.inhabitedLocked() {
		b.fewer.Wait()
	}
	b.ended = true
}

// inhabitedLocked reports whether there are containers, or some to come, beside the
// first.
func (b *box) inhabitedLocked() bool {
	for _, t := range b.joined {
		if t == nil || !t.isGone() {
			return true
		}
	}
	return false
}

// endJoined ends the further containers because the first one has ended.
func (b *box) endJoined() {
	b.mu.Lock()
	var all []*tenant
	for _, t := range b.joined {
		if t != nil {
			all = append(all, t)
		}
	}
	b.mu.Unlock()
	for _, t := range all {
		t.kill()
	}
	for _, t := range all {
		<-t.gone
	}
}

// containers performs OpContainers.
func (b *box) containers() []ContainerInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, t := range b.joined {
		if t != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	all := []ContainerInfo{b.first.info()}
	if b.joined[b.first.id] != nil {
		all = nil // another has its name
	}
	for _, id := range ids {
		all = append(all, b.joined[id].info())
	}
	return all
}

func (m *member) info() ContainerInfo { return ContainerInfo{ID: m.id, State: m.currentState()} }
