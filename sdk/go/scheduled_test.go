package mayfly_test

import (
	"errors"
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
	mayfly.HandleScheduled(func(*mayfly.Scheduled) error { return errors.New("no backup today") })
	node := new(mayflytest.Node)
	if err := node.RunScheduled("* * * * *", time.Now()); !errors.Is(err, mayflytest.ErrScheduled) {
		t.Errorf("got %v", err)
	}
	if logs := node.Logs(); len(logs) != 1 || logs[0].Text != "no backup today" {
		t.Errorf("logged %v", logs)
	}
}
