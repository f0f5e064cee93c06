package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A herald tells the host's memory cgroup of what was killed for memory inside
// (herald.c). It ends when the Sentry closes its socket, and when its parent ends
// before it has told it to go on.
type herald struct {
	p    *os.Process
	life *os.File
	end  *os.File // the Sentry's, until it has it
}

// What the lifeline tells a herald: whether it may announce while processes of the
// guest are in its cgroup.
const (
	heraldAlways = 'a'
	heraldAtEnd  = 'e'
)

// startHerald executes this binary as the herald of a memory cgroup, whose directory
// need not be there yet. Without a group it returns nil.
func startHerald(c *Config) (*herald, error) {
	if c.MemoryGroup == "" {
		return nil, nil
	}
	t, err := newTether()
	if err != nil {
		return nil, err
	}
	defer t.closeChilds()
	t.ready.Close()
	ours, theirs, err := socketPair(unix.SOCK_STREAM, "herald")
	if err != nil {
		t.lifeline.Close()
		return nil, err
	}
	defer theirs.Close()
	env := []string{"CORDON_ZONE=herald", "CORDON_GROUP=" + c.MemoryGroup}
	files := []*os.File{t.null, t.null, t.null, theirs, t.life}
	p, err := startOnOwnThread("", []string{"runsc", "herald"}, env, files, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		t.lifeline.Close()
		ours.Close()
		return nil, fmt.Errorf("starting the herald: %w", err)
	}
	return &herald{p, t.lifeline, ours}, nil
}

// sentryEnd is the socket that the Sentry gets, nil without a herald.
func (h *herald) sentryEnd() *os.File {
	if h == nil {
		return nil
	}
	return h.end
}

func (h *herald) pid() int {
	if h == nil {
		return 0
	}
	return h.p.Pid
}

// release closes the Sentry's end here, where that has its copy.
func (h *herald) release() {
	if h != nil {
		h.end.Close()
	}
}

// begin lets the herald go on: its cgroup is there. stubs is a process that stubs
// have their oom_score_adj from, 0 for none.
func (h *herald) begin(stubs int) {
	if h == nil {
		return
	}
	say := byte(heraldAlways)
	// A stub whose score is not above its size is never before the herald's child.
	if stubs != 0 && scoreOf(stubs) > 0 {
		say = heraldAtEnd
	}
	_, _ = h.life.Write([]byte{say}) // gone: then nobody is told
	h.life.Close()
}

// stop ends the herald and waits for it.
func (h *herald) stop() {
	if h != nil {
		h.life.Close()
		h.p.Kill()
		h.p.Wait()
	}
}

// worstScore is that of a process that is chosen first.
const worstScore = 1000

func scoreOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		return worstScore
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return worstScore
	}
	return n
}
