package dev_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/cli/internal/dev"
)

// A failed invocation is shown with its stack, all else as the node logs it.
func TestLogger(t *testing.T) {
	var out bytes.Buffer
	logger := dev.NewLog(&out).Logger()
	logger.Info("not shown")
	logger.Error("invocation failed", "request", "f312", "function", "shop", "trigger", "http", "outcome", "exception",
		"err", errors.New("Uncaught Error: boom\n    at fetch (src/index.js:7:49)\n\nGo runtime stack trace:\nx"))
	want := "error exception, http request f312: Uncaught Error: boom\n    at fetch (src/index.js:7:49)\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	logger.Warn("the disk is full", "free", 1)
	if got := out.String(); !bytes.HasSuffix(out.Bytes(), []byte("level=WARN msg=\"the disk is full\" free=1\n")) {
		t.Errorf("got %q", got)
	}
}
