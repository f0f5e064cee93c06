package gofertest

import "testing"

func TestLocal(t *testing.T)        { Run(t, Local) }
func TestLocalHostile(t *testing.T) { RunHostile(t, Local) }
