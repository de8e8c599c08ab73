package host_test

import (
	"reflect"
	"testing"

	"github.com/mayfly-run/mayfly/host"
)

// Or fills every field in, those that are added later too.
func TestLimitsOr(t *testing.T) {
	defaults := host.DefaultLimits()
	if got := (host.Limits{}).Or(defaults); got != defaults {
		t.Errorf("got %+v, want %+v", got, defaults)
	}
	for i := range reflect.TypeFor[host.Limits]().NumField() {
		name := reflect.TypeFor[host.Limits]().Field(i).Name
		if reflect.ValueOf(defaults).Field(i).IsZero() {
			t.Errorf("%s has no default", name)
		}
		var set host.Limits
		reflect.ValueOf(&set).Elem().Field(i).SetInt(1)
		want := defaults
		reflect.ValueOf(&want).Elem().Field(i).SetInt(1)
		if got := set.Or(defaults); got != want {
			t.Errorf("with %s set: got %+v, want %+v", name, got, want)
		}
	}
}
