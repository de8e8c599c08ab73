package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

func TestCodeOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want host.Code
	}{
		{host.Errorf(host.CodeDenied, "no"), host.CodeDenied},
		{fmt.Errorf("send: %w", host.Errorf(host.CodeTooLarge, "no")), host.CodeTooLarge},
		{kv.CheckKey(""), host.CodeInvalid},
		{kv.CheckValue(1 << 40), host.CodeTooLarge},
		{kv.CheckKeyPrefix(string(make([]byte, 513))), host.CodeTooLarge},
		{fmt.Errorf("get: %w", kv.ErrNotFound), host.CodeNotFound},
		{fmt.Errorf("put: %w", kv.ErrConflict), host.CodeConflict},
		{kv.ErrCursor, host.CodeInvalid},
		{fmt.Errorf("put: %w", kv.ErrNoSpace), host.CodeUnavailable},
		{fmt.Errorf("put: %w", kv.ErrUnavailable), host.CodeUnavailable},
		{kv.ErrCorrupt, host.CodeInternal},
		{kv.ErrClosed, host.CodeInternal},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), host.CodeTimeout},
		{context.Canceled, host.CodeCanceled},
		{host.ErrWallTime, host.CodeTimeout},
		{host.ErrEnded, host.CodeCanceled},
		{io.ErrUnexpectedEOF, host.CodeInternal},
		{errors.New("disk on fire"), host.CodeInternal},
	} {
		if got := host.CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

// The numbers are part of the native ABI.
func TestCodes(t *testing.T) {
	names := []string{"code(0)", "invalid", "badHandle", "notFound", "conflict", "denied", "limit", "tooLarge",
		"timeout", "unavailable", "state", "canceled", "unsupported", "internal", "code(14)"}
	for i, want := range names {
		if got := host.Code(i).String(); got != want {
			t.Errorf("code %d is %s, want %s", i, got, want)
		}
	}
	if got := host.Code(-1).String(); got != "code(-1)" {
		t.Errorf("got %s", got)
	}
}

func TestOutcomes(t *testing.T) {
	for o, want := range map[host.Outcome]string{host.OutcomeOK: "ok", host.OutcomeInternalError: "internalError"} {
		if got := o.String(); got != want {
			t.Errorf("outcome %d is %s, want %s", o, got, want)
		}
	}
}
