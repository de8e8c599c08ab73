package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func crons(f deploy.Function) (list []string) {
	for _, s := range f.Schedules {
		list = append(list, s.Cron)
	}
	return list
}

// Schedules stay over deploys and restarts, and go with their Function.
func TestSchedules(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustDeploy(t, r, "local", "job", deploy.Upload{})
	mustDeploy(t, r, "local", "other", deploy.Upload{})
	first, err := r.SetSchedules(t.Context(), "local", "job", []string{"0 5 * * MON", "*/5 * * * *"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.SetSchedules(t.Context(), "local", "job", []string{"0 0 L * *", "0 5 * * MON"})
	if err != nil || !slices.Equal(crons(second), []string{"0 0 L * *", "0 5 * * MON"}) || second.Schedules[1] != first.Schedules[0] {
		t.Fatalf("got %+v, %v; first it was %+v", second.Schedules, err, first.Schedules)
	}
	mustDeploy(t, r, "local", "job", deploy.Upload{})
	r = n.open(t)
	if f, _, err := r.Function("local", "job"); err != nil || !slices.Equal(f.Schedules, second.Schedules) {
		t.Errorf("after a restart: %+v, %v", f.Schedules, err)
	}
	if list := r.Scheduled(); len(list) != 1 || list[0].Name != "job" {
		t.Errorf("got %+v", list)
	}
	if err := r.Delete(t.Context(), "local", "job", false); err != nil || len(r.Scheduled()) != 0 {
		t.Errorf("%v; left are %+v", err, r.Scheduled())
	}
}

func TestSchedulesRefused(t *testing.T) {
	n := newNode(t)
	r, err := n.tryOpen(t, deploy.Config{Schedules: 3})
	if err != nil {
		t.Fatal(err)
	}
	mustAccount(t, r, "shop")
	for _, name := range []string{"a", "b"} {
		mustDeploy(t, r, "local", name, deploy.Upload{})
	}
	mustDeploy(t, r, "shop", "a", deploy.Upload{})
	set := func(account, name string, list ...string) error {
		_, err := r.SetSchedules(t.Context(), account, name, list)
		return err
	}
	if err := set("local", "a", "0 0 * * *", "1 0 * * *"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err  error
		code host.Code
		want string
	}{
		{set("local", "b", "0 0 * * *", "1 0 * * *"), host.CodeLimit, "account local would have 4 cron triggers, and may have 3"},
		{set("local", "a", "0 0 * * 0"), host.CodeInvalid, `day of week "0"`},
		{set("local", "a", "0 0 * * sun", "0  0 * * SUN"), host.CodeInvalid, "is given twice"},
		{set("local", "nobody", "0 0 * * *"), host.CodeNotFound, `"nobody"`},
	} {
		if host.CodeOf(tt.err) != tt.code || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("got %v, want %s", tt.err, tt.want)
		}
	}
	for _, err := range []error{set("local", "b", "0 0 * * *"), set("shop", "a", "0 0 * * *", "1 0 * * *", "2 0 * * *"), set("local", "a"), set("local", "b", "0 0 * * *", "1 0 * * *", "2 0 * * *")} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestPick(t *testing.T) {
	r := newNode(t).open(t)
	v := mustDeploy(t, r, "local", "job", deploy.Upload{})
	if a, err := r.Pick("local", "job"); err != nil || a.VersionID != v.ID {
		t.Errorf("got %v, %v", a, err)
	}
	if _, err := r.Pick("local", "nobody"); host.CodeOf(err) != host.CodeNotFound {
		t.Errorf("got %v", err)
	}
}
