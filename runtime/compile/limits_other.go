//go:build !linux

package compile

import "os/exec"

// apply does nothing: only the parent's clock bounds a child on this system.
func (Limits) apply() error { return nil }

func dieWithParent(*exec.Cmd) {}
