package mayflyversion_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
	"github.com/mayfly-run/mayfly/sdk/go/mayflyversion"
)

func get(value string) (m mayflyversion.Metadata, err error) {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		m, err = mayflyversion.Get("VERSION")
		return mayfly.Text(200, ""), nil
	})
	node := &mayflytest.Node{Env: map[string]string{}}
	if value != "" {
		node.Env["VERSION"] = value
	}
	node.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	return m, err
}

func TestGet(t *testing.T) {
	got, err := get(`{"id":"11111111-2222-4333-8444-555555555555","tag":"v1","timestamp":"2026-01-02T03:04:05.678Z"}`)
	want := mayflyversion.Metadata{ID: "11111111-2222-4333-8444-555555555555", Tag: "v1", Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)}
	if got != want || err != nil {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := get(""); !errors.Is(err, mayfly.ErrDenied) {
		t.Errorf("without a binding: %v", err)
	}
	if _, err := get("text"); err == nil {
		t.Error("a variable that is no version metadata is no error")
	}
}
