// Package wpt_test runs web-platform-tests (https://web-platform-tests.org) in
// JavaScript Workers. The tests are not here: the variable WPT_DIR names a checkout
// of them. What each is expected to give stands in expected/, so that a test that
// fails anew shows as well as one that begins to pass.
package wpt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// area is what is counted together.
type area struct {
	name    string
	folders []string
}

var areas = []area{
	{"url", []string{"url"}},
	{"encoding", []string{"encoding"}},
	{"streams", []string{"streams"}},
	{"fetch", []string{"fetch/api/abort", "fetch/api/body", "fetch/api/headers", "fetch/api/request", "fetch/api/response", "xhr/formdata"}},
	{"FileAPI", []string{"FileAPI"}},
	{"WebCryptoAPI", []string{"WebCryptoAPI"}},
	{"hr-time", []string{"hr-time"}},
	{"html", []string{"html/webappapis/atob", "html/webappapis/timers", "html/webappapis/structured-clone", "html/webappapis/microtask-queuing"}},
	{"dom", []string{"dom/events", "dom/abort"}},
	{"webidl", []string{"webidl"}},
	{"console", []string{"console"}},
	{"compression", []string{"compression"}},
	{"urlpattern", []string{"urlpattern"}},
}

// tally counts the subtests of an area.
type tally struct {
	files, skipped, passed, total int
}

func TestWebPlatform(t *testing.T) {
	folder := os.Getenv("WPT_DIR")
	if folder == "" {
		t.Skip("WPT_DIR does not name a checkout of web-platform-tests")
	}
	r := mustRunner(t, checkout(folder))
	table := []string{fmt.Sprintf("%-14s %6s %8s %8s %8s", "area", "files", "not run", "passed", "rate")}
	var all tally
	for _, a := range areas {
		var n tally
		t.Run(a.name, func(t *testing.T) { n = r.runArea(t, a) })
		if n.total > 0 {
			table = append(table, n.row(a.name))
		}
		all = tally{all.files + n.files, all.skipped + n.skipped, all.passed + n.passed, all.total + n.total}
	}
	fmt.Println(strings.Join(append(table, all.row("all")), "\n"))
}

func (n tally) row(name string) string {
	return fmt.Sprintf("%-14s %6d %8d %8s %7.1f%%", name, n.files, n.skipped, fmt.Sprintf("%d/%d", n.passed, n.total), 100*float64(n.passed)/float64(max(n.total, 1)))
}

// runArea runs the tests of an area and compares, or with WPT_UPDATE writes, what
// is expected of them.
func (r *runner) runArea(t *testing.T, a area) tally {
	file := filepath.Join("expected", a.name+".txt")
	want, err := expectationsOf(file)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := r.tests(a.folders)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards n and got, which has all tests
	var n tally
	got := map[string]*entry{}
	t.Run("files", func(t *testing.T) { // ends when all of them have
		for _, test := range tests {
			if test.skip != "" {
				n.skipped++
				got[test.name()] = notRun(test.skip)
				continue
			}
			t.Run(test.name(), func(t *testing.T) {
				t.Parallel()
				result := r.run(t, test)
				e := entryOf(result)
				mu.Lock()
				got[test.name()] = e
				n.files++
				n.passed += e.passed
				n.total += e.total
				mu.Unlock()
				if os.Getenv("WPT_UPDATE") == "" {
					compare(t, result, e, want[test.name()])
				}
			})
		}
	})
	if os.Getenv("WPT_UPDATE") != "" {
		update(t, file, want, got)
	}
	return n
}

func compare(t *testing.T, r result, got, want *entry) {
	if want == nil {
		t.Errorf("is not in expected/; make wpt WPT_UPDATE=1 adds it: %s", got.head())
		return
	}
	for _, d := range differences(got, want) {
		t.Error(d)
	}
	if r.Message != "" {
		t.Log(r.Message)
	}
	for _, s := range r.Subtests {
		if s.Status != "PASS" {
			t.Logf("%s %q: %s", s.Status, s.Name, s.Message)
		}
	}
}

func update(t *testing.T, file string, want expectations, got map[string]*entry) {
	for name, e := range got {
		if old := want[name]; old != nil && e.reasons == nil {
			e.reasons = old.reasons
		}
		want[name] = e
	}
	if len(got) == 0 {
		return
	}
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
}
