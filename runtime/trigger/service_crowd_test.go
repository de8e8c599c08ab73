package trigger_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Callers that hold places which callees want get an answer nevertheless.
func TestServiceCrowd(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"callee": helloGuest("hello")})
	s.bind("relay", relayGuest("http://callee/"), "callee")
	s.bind("deep", relayGuest("http://relay/"), "relay")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if status, body := s.get("deep", "/"); status != 200 || body != "hello" {
				t.Errorf("got %d %q", status, body)
			}
		})
	}
	all.Wait()
	if n := s.metrics.Outcome(host.OutcomeOK); n != 200 {
		t.Errorf("%d were called, want 200", n)
	}
}

// A Function that may run once at a time can't call itself, and is told so.
func TestServiceNoRoom(t *testing.T) {
	s := start(t, host.Limits{Concurrency: 1}, map[string][]byte{"self": helloGuest("hi")})
	s.bind("self", relayGuest("http://self/"), "self")
	if status, body := s.get("self", "/"); status != 502 || !strings.Contains(body, "Function self has too many requests at the same time") {
		t.Errorf("got %d %q", status, body)
	}
}

// Deploys of Functions that call each other lose no call, and no call sees a half of
// one.
func TestServiceRedeploy(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"callee": helloGuest("version 0")})
	s.bind("relay", relayGuest("http://callee/"), "callee")
	s.bind("deep", relayGuest("http://relay/"), "relay")
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status, body := s.get("deep", "/"); status != 200 || !strings.HasPrefix(body, "version ") {
					t.Errorf("got %d %q", status, body)
				}
			}
		})
	}
	for n := range 10 {
		must(s.registry.Deploy(t.Context(), "local", "callee", deploy.Upload{Module: helloGuest(fmt.Sprint("version ", n))}))(t)
		s.bind("relay", relayGuest(fmt.Sprintf("http://callee/%d", n)), "callee")
	}
	close(done)
	all.Wait()
}

// A caller may ask for a Version of a Function that two serve, as clients may.
func TestServiceVersions(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"callee": helloGuest("first")})
	first := must(s.registry.Newest(t.Context(), "local", "callee"))(t)
	second := must(s.registry.Deploy(t.Context(), "local", "callee", deploy.Upload{Module: helloGuest("second"), Idle: true}))(t)
	shares := []deploy.Share{{Version: first.ID, Percentage: 50}, {Version: second.ID, Percentage: 50}}
	must(s.registry.CreateDeployment(t.Context(), "local", "callee", deploy.NewDeployment{Versions: shares}))(t)
	for id, want := range map[string]string{first.ID: "first", second.ID: "second"} {
		c := s.caller("callee")
		headers := host.Headers{}.Add("Cloudflare-Workers-Version-Overrides", `callee="`+id+`"`)
		for range 5 {
			if _, got, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/", Headers: headers}, ""); got != want || err != nil {
				t.Errorf("asked for %s: got %q, %v", want, got, err)
			}
		}
		c.End(nil)
	}
}

// Requests that have all places of their account do not wait for those that they
// call to get one.
func TestServiceAccountPlaces(t *testing.T) {
	s := startWith(t, deploy.Config{AccountConcurrency: 1}, map[string][]byte{"callee": helloGuest("hello")})
	s.bind("relay", relayGuest("http://callee/"), "callee")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, body := s.get("relay", "/"); status != 200 || body != "hello" {
				t.Errorf("got %d %q", status, body)
			}
		})
	}
	all.Wait()
}

// manyCalls is a guest that calls PEER six times at once, waits for all, and answers.
func manyCalls(url string) []byte {
	const count, table = 6, bufferAt
	text := "PEERGET" + url
	return guest(text, func(call map[string]uint32) (ops [][]byte) {
		ops = append(ops, numbers(0, 4), hosttest.Call(call["fetcher_open"]), hosttest.LocalSet(0))
		for n := range int32(count) {
			ops = append(ops, numbers(table+4*n), hosttest.LocalGet(0), numbers(4, 3, 7, int32(len(url)), 0, 0, 0, 0),
				hosttest.Call(call["fetcher_send"]), hosttest.I32Store(0))
		}
		for n := range int32(count) {
			ops = append(ops, numbers(table+4*n), hosttest.I32Load(0), hosttest.Call(call["fetch_status"]), hosttest.Drop)
		}
		return append(ops, answer(call, 200, 4))
	}, "fetcher_open", "fetcher_send", "fetch_status", "respond")
}

// A Function that calls itself as often as it can ends soon, and with a bounded
// number of invocations.
func TestServiceBomb(t *testing.T) {
	s := startWith(t, deploy.Config{Memory: 1 << 30}, map[string][]byte{"bomb": helloGuest("hi")})
	s.bind("bomb", manyCalls("http://bomb/"), "bomb")
	if status, body := s.get("bomb", "/"); status != 200 {
		t.Errorf("got %d %q", status, body)
	}
	if n := s.metrics.Outcome(host.OutcomeOK); n != host.MaxCalls-1 {
		t.Errorf("%d invocations were called, want %d", n, host.MaxCalls-1)
	}
	s.waitForMemory()
}
