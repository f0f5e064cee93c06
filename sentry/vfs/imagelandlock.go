package vfs

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

// RuleImage is one of landlockRules in a checkpoint.
type RuleImage struct {
	At     checkpoint.Ref
	Access uint64
}

// RulesetImage is a Ruleset in a checkpoint.
type RulesetImage struct {
	Handled uint64
	Rules   []RuleImage
}

// DomainImage is a Domain in a checkpoint.
type DomainImage struct {
	Parent  checkpoint.Ref
	Layers  int
	Handled uint64
	Rules   []RuleImage
}

func saveRules(s *checkpoint.Saver, rules landlockRules) []RuleImage {
	var out []RuleImage
	for _, at := range rules.places {
		out = append(out, RuleImage{s.Ref(at), uint64(rules.access[at])})
	}
	return out
}

func loadRules(g *getter, rules []RuleImage) (out landlockRules) {
	if len(rules) > maxLandlockRules {
		g.err = cmp.Or(g.err, errImage)
		return out
	}
	for _, r := range rules {
		at := get[*Dentry](g, r.At)
		if at == nil {
			g.err = cmp.Or(g.err, errImage)
			return out
		}
		out.add(at, linux.LandlockAccessFS(r.Access))
	}
	return out
}

func saveRuleset(s *checkpoint.Saver, r *Ruleset) RulesetImage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RulesetImage{uint64(r.handled), saveRules(s, r.rules)}
}

func loadRuleset(l *checkpoint.Loader, r *Ruleset, im RulesetImage) error {
	g := &getter{l: l}
	r.handled, r.rules = linux.LandlockAccessFS(im.Handled), loadRules(g, im.Rules)
	return g.err
}

func saveDomain(s *checkpoint.Saver, d *Domain) DomainImage {
	return DomainImage{s.Ref(d.parent), d.layers, uint64(d.handled), saveRules(s, d.rules)}
}

func loadDomain(l *checkpoint.Loader, d *Domain, im DomainImage) error {
	g := &getter{l: l}
	d.parent, d.layers, d.handled = get[*Domain](g, im.Parent), im.Layers, linux.LandlockAccessFS(im.Handled)
	d.rules = loadRules(g, im.Rules)
	if d.layers < 1 || d.layers > maxLandlockLayers || d.parent == d {
		return cmp.Or(g.err, errImage)
	}
	l.AfterLoad(func() error {
		if d.parent != nil && d.parent.layers >= d.layers {
			return errImage // not a list, or one without end
		}
		return nil
	})
	return g.err
}
