//go:build !linux

package runtime

import "github.com/mayfly-run/mayfly/host"

func newThreadClock() host.ThreadClock { return nil }
