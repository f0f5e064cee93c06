package cred

import (
	"bytes"
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Credentials, Image](nil); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[UserNamespace, NamespaceImage](map[string]string{"mu": "a lock", "bounded": "follows from the maps"}); err != nil {
		t.Error(err)
	}
}

func TestCheckpoint(t *testing.T) {
	root := NewRootNamespace()
	child := root.Child(&Credentials{EUID: 7, EGID: 8})
	child.SetUIDs([]IDMap{{0, 1000, 10}})
	c := Root(child, 0x123)
	c.Groups = []uint32{4, 5}
	var first, second bytes.Buffer
	if err := checkpoint.SavePlain(&first, Kinds(), c); err != nil {
		t.Fatal(err)
	}
	bytes1 := first.String()
	back, err := checkpoint.Load(&first, Kinds(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := back.(*Credentials)
	if u, g := d.UserNS.Maps(); len(u) != 1 || g != nil || d.UserNS.ToRootUID(3) != 1003 {
		t.Errorf("maps %v %v", u, g)
	}
	if err := checkpoint.SavePlain(&second, Kinds(), d); err != nil || second.String() != bytes1 {
		t.Errorf("the second image differs: %v", err)
	}
}

func TestBoundedRoot(t *testing.T) {
	ns := NewBoundedNamespace([]IDMap{{0, 1000, 10}}, []IDMap{{0, 2000, 20}})
	child := ns.Child(Root(ns, 0))
	child.SetUIDs([]IDMap{{0, 5, 100}})
	for _, c := range []struct {
		name      string
		got, want uint32
	}{
		{"inside", ns.ToRootUID(9), 9}, {"outside", ns.ToRootUID(10), NoID}, {"a group", ns.ToRootGID(10), 10},
		{"shown", ns.FromRootUID(9), 9}, {"not shown", ns.FromRootUID(10), OverflowID},
		{"of a child", child.ToRootUID(4), 9}, {"of a child, outside", child.ToRootUID(5), NoID},
		{"every id", NewRootNamespace().ToRootUID(1 << 31), 1 << 31},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
	if !ns.HasUID(0) || ns.HasUID(10) || ns.HasGID(20) {
		t.Error("the namespace has other ids than its maps")
	}
}
