package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Policy says what a guest may reach by network "user". The zero value lets it reach everything but the host's loopback.
type Policy struct {
	// Allow, if not nil, is all that may be reached; Deny wins over it.
	Allow []Rule `json:"allow,omitempty"`
	Deny  []Rule `json:"deny,omitempty"`
	// Restricted is set where Allow counts, even if it is empty.
	Restricted bool `json:"restricted,omitempty"`
	// HostLoopback has the gateway's address lead to 127.0.0.1 of the host.
	HostLoopback bool `json:"hostLoopback,omitempty"`
}

// A Rule is one HOST:PORT of a list. HOST is a name, *.NAME for all names below it, an address, a network, or * for
// everything; PORT a number, a range, or * or nothing for all.
type Rule struct {
	Name  string       `json:"name,omitempty"` // in lower case, without a final dot; "*" for all hosts
	Net   netip.Prefix `json:"net,omitzero"`   // valid if there is no name
	First uint16       `json:"first"`          // of the ports
	Last  uint16       `json:"last"`
}

// maxRules bounds a list.
const maxRules = 4096

// ParseRules reads a list, HOST:PORT,...
func ParseRules(list string) ([]Rule, error) {
	var out []Rule
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		r, err := parseRule(part)
		if err != nil {
			return nil, err
		}
		if out = append(out, r); len(out) > maxRules {
			return nil, fmt.Errorf("more than %d rules", maxRules)
		}
	}
	return out, nil
}

func parseRule(s string) (Rule, error) {
	host, port := s, ""
	switch i := strings.LastIndexByte(s, ':'); {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return Rule{}, fmt.Errorf("%q: a bracket is not closed before the port", s)
		}
		host = s[1:end]
		port = strings.TrimPrefix(s[end+1:], ":")
	case i >= 0 && strings.Count(s, ":") == 1:
		host, port = s[:i], s[i+1:]
	}
	r := Rule{First: 0, Last: 65535}
	if port != "" && port != "*" {
		lo, hi, ranged := strings.Cut(port, "-")
		if !ranged {
			hi = lo
		}
		first, err1 := strconv.ParseUint(lo, 10, 16)
		last, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || first > last || first == 0 {
			return Rule{}, fmt.Errorf("%q: %q is no port or range of ports", s, port)
		}
		r.First, r.Last = uint16(first), uint16(last)
	}
	if p, err := netip.ParsePrefix(host); err == nil {
		r.Net = p.Masked()
		return r, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		r.Net = netip.PrefixFrom(a, a.BitLen())
		return r, nil
	}
	r.Name = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validHost(r.Name) {
		return Rule{}, fmt.Errorf("%q: %q is no name, address or network", s, host)
	}
	return r, nil
}

func validHost(name string) bool {
	if name == "*" {
		return true
	}
	name = strings.TrimPrefix(name, "*.")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

func (r *Rule) port(p uint16) bool { return r.First <= p && p <= r.Last }

func (r *Rule) host(ip netip.Addr) bool {
	return r.Name == "*" || r.Net.IsValid() && r.Net.Contains(ip)
}

func (r *Rule) named(name string) bool {
	if below, ok := strings.CutPrefix(r.Name, "*."); ok {
		return strings.HasSuffix(name, "."+below)
	}
	return r.Name == name || r.Name == "*"
}

// A judge applies a policy. Names are known by the answers to the guest's own questions.
type judge struct {
	// immutable
	policy Policy

	mu sync.Mutex
	// guarded by mu
	known map[netip.Addr]*knownHost
}

// A knownHost is an address that a name of a rule has led to.
type knownHost struct {
	names map[string]time.Time // until when
}

// Limits of what is known.
const (
	maxKnown     = 4096
	minKnownTime = 10 * time.Minute // programs use addresses longer than they should
	maxKnownTime = 24 * time.Hour
)

func newJudge(p Policy) *judge { return &judge{policy: p, known: make(map[netip.Addr]*knownHost)} }

// namesCount says whether any rule has a name, so that answers have to be read.
func (j *judge) namesCount() bool {
	for _, list := range [][]Rule{j.policy.Allow, j.policy.Deny} {
		for i := range list {
			if list[i].Name != "" && list[i].Name != "*" {
				return true
			}
		}
	}
	return false
}

// mayAsk says whether a name may be looked up: what no rule leads to would only carry data out.
func (j *judge) mayAsk(name string) bool {
	for i := range j.policy.Deny {
		if r := &j.policy.Deny[i]; r.Name != "" && r.named(name) && r.First == 0 && r.Last == 65535 {
			return false
		}
	}
	if !j.policy.Restricted {
		return true
	}
	for i := range j.policy.Allow {
		if r := &j.policy.Allow[i]; r.Name != "" && r.named(name) {
			return true
		}
	}
	return false
}

// learn notes what a name has led to.
func (j *judge) learn(name string, ip netip.Addr, ttl time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	k := j.known[ip]
	if k == nil {
		if len(j.known) >= maxKnown {
			j.forgetLocked(now)
		}
		k = &knownHost{names: make(map[string]time.Time)}
		j.known[ip] = k
	}
	if len(k.names) < maxRules {
		k.names[name] = now.Add(min(max(ttl, minKnownTime), maxKnownTime))
	}
}

// forgetLocked makes room: what is over goes, or else anything.
func (j *judge) forgetLocked(now time.Time) {
	for ip, k := range j.known {
		for n, until := range k.names {
			if until.Before(now) {
				delete(k.names, n)
			}
		}
		if len(k.names) == 0 {
			delete(j.known, ip)
		}
	}
	for ip := range j.known {
		if len(j.known) < maxKnown {
			return
		}
		delete(j.known, ip)
	}
}

// namesOf are the names that are known to lead to an address.
func (j *judge) namesOf(ip netip.Addr) (out []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if k := j.known[ip]; k != nil {
		now := time.Now()
		for n, until := range k.names {
			if until.After(now) {
				out = append(out, n)
			}
		}
	}
	return out
}

// mayReach says whether packets may go to an address and port; for an echo the port is 0, which is in no range but all.
func (j *judge) mayReach(to netip.AddrPort) bool {
	ip := to.Addr().Unmap()
	names := j.namesOf(ip)
	match := func(list []Rule) bool {
		for i := range list {
			r := &list[i]
			if !r.port(to.Port()) {
				continue
			}
			if r.host(ip) {
				return true
			}
			for _, n := range names {
				if r.Name != "" && r.named(n) {
					return true
				}
			}
		}
		return false
	}
	return !match(j.policy.Deny) && (!j.policy.Restricted || match(j.policy.Allow))
}
