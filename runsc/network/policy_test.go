package network

import (
	"net/netip"
	"testing"
	"time"
)

func TestPolicy(t *testing.T) {
	for _, tc := range []struct {
		name        string
		allow, deny string
		restricted  bool
		yes, no     []string
	}{
		{name: "none_lets_everything", yes: []string{"1.2.3.4:80", "[2001:db8::1]:443"}},
		{name: "addresses_and_ports", allow: "1.2.3.4:80,[2001:db8::1]:443", restricted: true,
			yes: []string{"1.2.3.4:80", "[2001:db8::1]:443"}, no: []string{"1.2.3.4:81", "1.2.3.5:80", "[2001:db8::1]:80"}},
		{name: "networks_and_ranges", allow: "10.0.0.0/8:8000-8100", restricted: true,
			yes: []string{"10.1.2.3:8000", "10.1.2.3:8100"}, no: []string{"10.1.2.3:8101", "11.0.0.1:8000"}},
		{name: "any_host_on_a_port", allow: "*:443", restricted: true, yes: []string{"9.9.9.9:443"}, no: []string{"9.9.9.9:80"}},
		{name: "deny_wins", allow: "*", deny: "169.254.0.0/16", restricted: true, yes: []string{"9.9.9.9:80"}, no: []string{"169.254.169.254:80"}},
		{name: "names_by_their_answers", allow: "web.example:443,*.corp.example", restricted: true,
			yes: []string{"5.5.5.5:443", "6.6.6.6:22"}, no: []string{"5.5.5.5:80", "7.7.7.7:443"}},
		{name: "v4_in_v6_is_v4", deny: "10.0.0.0/8", no: []string{"[::ffff:10.0.0.1]:80"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			allow, err := ParseRules(tc.allow)
			if err != nil {
				t.Fatal(err)
			}
			deny, err := ParseRules(tc.deny)
			if err != nil {
				t.Fatal(err)
			}
			j := newJudge(Policy{Allow: allow, Deny: deny, Restricted: tc.restricted})
			j.learn("web.example", netip.MustParseAddr("5.5.5.5"), time.Minute)
			j.learn("a.corp.example", netip.MustParseAddr("6.6.6.6"), 0)
			j.learn("other.example", netip.MustParseAddr("7.7.7.7"), time.Minute)
			for _, a := range tc.yes {
				if !j.mayReach(netip.MustParseAddrPort(a)) {
					t.Errorf("%s is denied", a)
				}
			}
			for _, a := range tc.no {
				if j.mayReach(netip.MustParseAddrPort(a)) {
					t.Errorf("%s is allowed", a)
				}
			}
		})
	}
	t.Run("names_that_no_rule_has_are_not_asked_for", func(t *testing.T) {
		allow, _ := ParseRules("web.example,*.corp.example:443,10.0.0.0/8")
		j := newJudge(Policy{Allow: allow, Restricted: true})
		for name, want := range map[string]bool{"web.example": true, "x.corp.example": true, "corp.example": false, "secret.evil.example": false} {
			if j.mayAsk(name) != want {
				t.Errorf("%s: %v", name, !want)
			}
		}
	})
	t.Run("bad_rules_are_refused", func(t *testing.T) {
		for _, s := range []string{"a b", "x:0", "x:1-", "x:5-4", "x:70000", "[::1", "-/8:5:6", "..", "a..b"} {
			if r, err := ParseRules(s); err == nil {
				t.Errorf("%q is %+v", s, r)
			}
		}
	})
}

func TestBrokerResolvesTargets(t *testing.T) {
	b := &broker{
		config: BrokerConfig{Gateway: []netip.Addr{netip.MustParseAddr("10.0.2.2")}, DNS: []netip.AddrPort{netip.MustParseAddrPort("10.0.2.3:53")}},
		judge:  newJudge(Policy{}), log: &denialLog{fd: -1},
	}
	for addr, want := range map[string]bool{
		"8.8.8.8:80": true, "10.0.2.3:53": true, "10.0.2.3:80": true, "10.0.2.2:80": false, "127.0.0.1:80": false, "[::1]:80": false,
		"[::ffff:127.0.0.1]:80": false, "0.0.0.0:80": false, "0.1.2.3:80": false, "[::]:80": false, "224.0.0.1:80": false,
		"255.255.255.255:80": false, "[ff02::1]:80": false, "[fe80::1%eth0]:80": false,
	} {
		if _, ok := b.resolve("tcp", netip.MustParseAddrPort(addr)); ok != want {
			t.Errorf("%s: %v", addr, ok)
		}
	}
}

func TestPublished(t *testing.T) {
	for s, want := range map[string]Published{
		"8080:80":           {Host: netip.AddrPortFrom(netip.Addr{}, 8080), Guest: 80},
		"127.0.0.1:8080:80": {Host: netip.MustParseAddrPort("127.0.0.1:8080"), Guest: 80},
		"[::1]:5353:53/udp": {Host: netip.MustParseAddrPort("[::1]:5353"), Guest: 53, UDP: true},
	} {
		if got, err := ParsePublished(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "80", "0:80", "80:0", "80:80/sctp", "x:1:2", "1:2:3:4"} {
		if got, err := ParsePublished(s); err == nil {
			t.Errorf("%q is %+v", s, got)
		}
	}
}
