package torture_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/valyala/fasthttp"
)

// attackers is how many clients attack at the same time.
const attackers = 50

const attackedConfig = `
[node]
running_memory_mb = 2048
code_memory_mb = 256
[limits]
wall_ms = 1000
account_memory_mb = 512
`

// attackPause is what each of them waits between two requests.
const attackPause = 2 * time.Millisecond

// TestTortureNeighbours has one account do its worst, in one way after the other,
// while another one's Function is asked as ever. The node must go on, and every
// request of the good Function must be answered.
func TestTortureNeighbours(t *testing.T) {
	s := mustServe(t, filepath.Join(t.TempDir(), "data"), attackedConfig)
	s.mustDeployGood(t)
	s.mustAccount(t, "evil")
	guests := evil()
	for name, module := range guests {
		s.mustDeploy(t, "evil", functionName(name), module)
	}
	d := duration()
	s.ask(t, d) // warms up
	quiet := s.ask(t, d)
	rows := []string{fmt.Sprintf("quiet\t\t%s\t\t", quiet.latency())}
	baseline := s.settled()
	attacks := s.attacks(t, slices.Sorted(maps.Keys(guests)))
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			got := s.suffer(t, a, d)
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%.1f\t%d -> %d", a.name, got.statuses, got.good.latency(),
				got.good.percentile(99).Seconds()/quiet.percentile(99).Seconds(), got.peak>>20, s.settled()>>20))
			if !s.alive() {
				t.Fatal("the node is gone")
			}
			if got.good.Failed > 0 {
				t.Errorf("%d of %d requests of the good Function failed: %s", got.good.Failed, len(got.good.Took), got.good.First)
			}
		})
	}
	printTable(t, fmt.Sprintf("attack by %d clients\tanswers\tgood p50, p99 us\tp99 / quiet\tMiB resident, %d before", attackers, baseline>>20), rows)
	if long() {
		s.mustShrink(t, baseline+256<<20)
	}
}

// mustDeployGood deploys the good Function, which has more time than others: a request of
// it is to be answered however busy the machine is.
func (s *server) mustDeployGood(t *testing.T) {
	t.Helper()
	metadata := api.Metadata{MainModule: "m.wasm", Mayfly: map[string]any{"limits": map[string]any{"wall_ms": answerTime.Milliseconds()}}}
	if _, err := s.mustClient(t, "local").Upload(t.Context(), "good", good(), metadata, nil); err != nil {
		t.Fatal(err)
	}
}

// mustShrink waits until what the attacks took is given back: a node that has
// nothing to do collects its garbage after two minutes.
func (s *server) mustShrink(t *testing.T, most int64) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); s.resident() > most; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d MiB are still resident after everything", s.resident()>>20)
			return
		}
	}
}

func functionName(attack string) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(attack)
}

func duration() time.Duration {
	if long() {
		return 10 * time.Second
	}
	return 400 * time.Millisecond
}

// asked is what became of requests.
type asked struct {
	Took   []time.Duration
	Failed int
	First  string // failure
}

func (a *asked) percentile(p int) time.Duration {
	if len(a.Took) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(a.Took))
	return s[min(len(s)-1, len(s)*p/100)]
}

func (a *asked) latency() string {
	return fmt.Sprintf("%d, %d", a.percentile(50).Microseconds(), a.percentile(99).Microseconds())
}

// ask asks the good Function one request after the other, from a process of its
// own: in this one, its client would wait behind those of the attack.
func (s *server) ask(t *testing.T, d time.Duration) *asked {
	t.Helper()
	out, err := exec.Command(os.Args[0], roleAsk, s.web, d.String()).Output()
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	a := &asked{}
	if err := json.Unmarshal(out, a); err != nil {
		t.Fatalf("ask: %v: %s", err, out)
	}
	return a
}

const roleAsk = "ask"

// TestMain is also the process that asks.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == roleAsk {
		d, err := time.ParseDuration(os.Args[3])
		if err != nil {
			os.Exit(2)
		}
		json.NewEncoder(os.Stdout).Encode(askHere(os.Args[2], d)) //nolint:errcheck // whoever reads it sees
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func askHere(addr string, d time.Duration) *asked {
	client := &fasthttp.HostClient{Addr: addr}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI("http://" + host("local", "good") + "/")
	a := &asked{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		began := time.Now()
		err := client.DoTimeout(req, resp, answerTime)
		a.Took = append(a.Took, time.Since(began))
		if err != nil || resp.StatusCode() != 200 || string(resp.Body()) != "hello" {
			if a.Failed++; a.Failed == 1 {
				a.First = fmt.Sprintf("status %d, %q, %v", resp.StatusCode(), resp.Body(), err)
			}
		}
	}
	return a
}

// attack is something that many clients do again and again.
type attack struct {
	name string
	once func() string // and how it was answered
}

// suffered is what an attack came to.
type suffered struct {
	statuses string
	good     *asked
	peak     int64 // bytes resident
}

// suffer lets attackers loose and asks the good Function beside them.
func (s *server) suffer(t *testing.T, a attack, d time.Duration) suffered {
	var over atomic.Bool
	var clients sync.WaitGroup
	var mu sync.Mutex // guards answers
	answers := map[string]int{}
	for range attackers {
		clients.Go(func() {
			yieldToOthers(t)
			for !over.Load() {
				answer := a.once()
				mu.Lock()
				answers[answer]++
				mu.Unlock()
				time.Sleep(attackPause) // the attackers share the machine with the node
			}
		})
	}
	var peak int64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ; !over.Load(); time.Sleep(20 * time.Millisecond) {
			peak = max(peak, s.resident())
		}
	}()
	time.Sleep(d / 4)
	good := s.ask(t, d)
	over.Store(true)
	clients.Wait()
	<-watched
	return suffered{count(answers), good, peak}
}

// yieldToOthers has the caller's thread come after those of the node, and end with
// the goroutine: in earnest, attackers have machines of their own.
func yieldToOthers(t *testing.T) {
	const nicest = 19
	goruntime.LockOSThread()
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, nicest); err != nil {
		t.Errorf("lower the priority of the attackers: %v", err)
	}
}

// count prints answers and how many of each there were.
func count(answers map[string]int) string {
	var parts []string
	for _, answer := range slices.Sorted(maps.Keys(answers)) {
		parts = append(parts, fmt.Sprintf("%d x %s", answers[answer], answer))
	}
	return strings.Join(parts, ", ")
}
