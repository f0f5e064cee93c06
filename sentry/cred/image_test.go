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
	if err := checkpoint.CheckCovered[UserNamespace, NamespaceImage](map[string]string{"mu": "a lock"}); err != nil {
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
