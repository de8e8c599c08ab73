package mayfly_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestHandleScheduled(t *testing.T) {
	at := time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC)
	var got mayfly.Scheduled
	after := false
	mayfly.HandleScheduled(func(s *mayfly.Scheduled) error {
		got = *s
		mayfly.WaitUntil(func() { after = true })
		return nil
	})
	if err := new(mayflytest.Node).RunScheduled("0 5 * * *", at); err != nil {
		t.Fatal(err)
	}
	if want := (mayfly.Scheduled{Cron: "0 5 * * *", Time: at}); got != want || !after {
		t.Errorf("got %+v, want %+v; after %v", got, want, after)
	}
}

func TestScheduledFails(t *testing.T) {
	after := false
	mayfly.HandleScheduled(func(*mayfly.Scheduled) error {
		mayfly.WaitUntil(func() { after = true })
		return errors.New("no backup today")
	})
	node := new(mayflytest.Node)
	err := node.RunScheduled("* * * * *", time.Now())
	if !errors.Is(err, mayflytest.ErrScheduled) || !strings.HasSuffix(err.Error(), ": no backup today") || !after {
		t.Errorf("got %v, after %v", err, after)
	}
	if logs := node.Logs(); len(logs) != 1 || logs[0].Text != "no backup today" {
		t.Errorf("logged %v", logs)
	}
}
