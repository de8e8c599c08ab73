package torture_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
)

const (
	writers     = 6
	writerKeys  = 20
	adders      = 4
	counterKeys = 3
	fewestOps   = 20 // acknowledged in a round, on average, and one of them with secrets
)

// TestTortureKill ends a node at random moments, under load, and after each time
// reads everything that clients noted in a ledger of their own.
func TestTortureKill(t *testing.T) {
	rounds := 4
	if long() {
		rounds = 300
	}
	k := &killed{ledger: newLedger(t), data: filepath.Join(t.TempDir(), "data")}
	for round := range rounds {
		k.round(t, int64(round+1))
		if t.Failed() {
			break
		}
	}
	k.recover(t)
	k.server.kill()
	ackedOps, ackedSecrets, unknownOps := 0, 0, 0
	for key, h := range k.ledger.read(t) {
		ackedOps += h.acked
		if strings.HasPrefix(key, secretKey) {
			ackedSecrets += h.acked
		}
		unknownOps += h.unknown
	}
	v := k.verdict
	printTable(t, "rounds\tacknowledged\tof secrets\tunknown\tlost\twrong\tresurrected\tsums out of bounds\tlongest recovery", []string{
		fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v", rounds, ackedOps, ackedSecrets, unknownOps, v.lost, v.wrong, v.resurrected, v.sums, k.longest.Round(time.Millisecond))})
	if v != (verdict{}) {
		t.Errorf("got %+v, want nothing of it", v)
	}
	if ackedOps < fewestOps*rounds || ackedSecrets < rounds {
		t.Errorf("%d operations, %d of them with secrets, in %d rounds are too few to tell", ackedOps, ackedSecrets, rounds)
	}
}

// killed is a node that is killed again and again.
type killed struct {
	*server
	ledger    *ledger
	data      string
	namespace string
	next      atomic.Int64 // makes values differ
	verdict   verdict
	acked     atomic.Int64  // operations, for round to wait for
	secrets   atomic.Int64  // those of them that were about secrets
	longest   time.Duration // from the start of a process to the first answer
}

// round starts the node, reads everything, and kills it under load. It is the nth.
func (k *killed) round(t *testing.T, n int64) {
	t.Helper()
	k.recover(t)
	var over atomic.Bool
	var clients sync.WaitGroup
	for w := range writers {
		clients.Go(func() { k.writeUntil(t, &over, w) })
	}
	for range adders {
		clients.Go(func() { k.addUntil(t, &over) })
	}
	clients.Go(func() { k.deployUntil(t, &over) })
	clients.Go(func() { k.secretsUntil(t, &over) })
	time.Sleep(time.Duration(50+rand.IntN(900)) * time.Millisecond)
	// A busy machine has done little by now.
	eventually(t, "enough is acknowledged to tell", func() bool {
		return k.acked.Load() >= fewestOps*n && k.secrets.Load() >= n || t.Failed()
	})
	k.server.kill()
	over.Store(true)
	clients.Wait()
}

// recover starts the node and judges what is there.
func (k *killed) recover(t *testing.T) {
	t.Helper()
	if _, err := program(); err != nil { // builds it, the first time
		t.Fatal(err)
	}
	began := time.Now()
	s, said := tryServe(t, k.data, "")
	if s == nil {
		t.Fatalf("the node does not start: %s", said)
	}
	k.server = s
	t.Cleanup(s.kill)
	if k.namespace == "" {
		ns, err := s.mustClient(t, "local").CreateNamespace(t.Context(), "ledger")
		if err != nil {
			t.Fatal(err)
		}
		k.namespace = ns.ID
		s.mustDeploy(t, "local", secretsName, telling())
	}
	s.value(t, k.namespace, "first")
	k.longest = max(k.longest, time.Since(began))
	for key, h := range k.ledger.read(t) {
		got := k.read(t, key)
		before := k.verdict
		if k.verdict.judge(h, got); k.verdict != before {
			t.Errorf("key %s: got %.40q, the ledger has %.40q and pending %.80q", key, got, h.state, h.pending)
		}
		k.ledger.write(t, note{Key: key, Tells: found, Value: got, Adds: h.adds})
	}
}

// read returns what is there now; empty if nothing is.
func (k *killed) read(t *testing.T, key string) string {
	t.Helper()
	if key == deployKey {
		text := k.hello()
		if strings.HasPrefix(text, "Error ") || strings.HasPrefix(text, "There is no function") { // no deploy was stored yet
			return ""
		}
		return text
	}
	if name, ok := strings.CutPrefix(key, secretKey); ok {
		return k.secret(t, name)
	}
	value, status := k.value(t, k.namespace, key)
	switch status {
	case 200:
		return short(string(value))
	case 404:
		return ""
	}
	t.Fatalf("read %s: status %d, %s", key, status, value)
	return ""
}

// do sends what notes are about, and notes what became of it.
func (k *killed) do(t *testing.T, notes []note, send func() (status int)) (status int) {
	k.ledger.tell(t, begun, notes)
	switch status = send(); {
	case status == 200:
		k.ledger.tell(t, acked, notes)
		k.count(notes)
	case status >= 400 && status < 500:
		k.ledger.tell(t, refused, notes)
	case status != 0:
		t.Errorf("a write is answered with %d", status)
	}
	return status
}

func (k *killed) count(notes []note) {
	for _, n := range notes {
		k.acked.Add(1)
		if strings.HasPrefix(n.Key, secretKey) {
			k.secrets.Add(1)
		}
	}
}

// writeUntil puts, deletes and writes in bulk to keys of its own, until the node is
// gone.
func (k *killed) writeUntil(t *testing.T, over *atomic.Bool, writer int) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	key := func() string { return fmt.Sprintf("w%d-%d", writer, r.IntN(writerKeys)) }
	for status := 200; status != 0 && !over.Load(); {
		switch r.IntN(6) {
		case 0:
			n := note{Key: key()}
			status = k.do(t, []note{n}, func() int { return k.status(t, "DELETE", "/values/"+n.Key, nil) })
		case 1:
			status = k.bulk(t, writer)
		default:
			n := note{Key: key(), Value: k.newValue()}
			status = k.do(t, []note{n}, func() int { return k.status(t, "PUT", "/values/"+n.Key, []byte(full(n.Value))) })
		}
	}
}

// newValue is different each time. The ledger has it as it is, the node as full
// makes it.
func (k *killed) newValue() string { return strconv.FormatInt(k.next.Add(1), 10) }

// full makes values of lengths that are kept in different ways.
func full(value string) string {
	return value + strings.Repeat("x", []int{0, 100, 2000, 40_000}[number(value)%4])
}

// short is the value of which full made text, or text.
func short(text string) string {
	if value := strings.TrimRight(text, "x"); full(value) == text {
		return value
	}
	return text
}

func (k *killed) bulk(t *testing.T, writer int) int {
	var notes []note
	var pairs []map[string]string
	for i := range writerKeys {
		n := note{Key: fmt.Sprintf("w%d-%d", writer, i), Value: k.newValue()}
		notes = append(notes, n)
		pairs = append(pairs, map[string]string{"key": n.Key, "value": full(n.Value)})
	}
	body, err := json.Marshal(pairs)
	if err != nil {
		t.Error(err)
	}
	return k.do(t, notes, func() int { return k.status(t, "PUT", "/bulk", body) })
}

func (k *killed) status(t *testing.T, method, path string, body []byte) int {
	status, _, _ := k.kv(t, method, k.namespace, path, body)
	return status
}

// addUntil increments counters by comparing and swapping.
func (k *killed) addUntil(t *testing.T, over *atomic.Bool) {
	for status := 200; status != 0 && !over.Load(); {
		n := note{Key: fmt.Sprintf("counter-%d", rand.IntN(counterKeys)), Adds: true}
		var header http.Header
		var value []byte
		status, header, value = k.kv(t, "GET", k.namespace, "/values/"+n.Key, nil)
		condition := []string{"If-None-Match", "*"}
		switch status {
		case 200:
			condition = []string{"If-Match", header.Get("Mayfly-Revision")}
		case 404:
			value = nil
		default:
			continue
		}
		status = k.do(t, []note{n}, func() int {
			next := strconv.Itoa(number(string(value)) + 1)
			status, _, _ := k.kv(t, "PUT", k.namespace, "/values/"+n.Key, []byte(next), condition...)
			return status
		})
	}
}

// deployKey stands for the Function in a ledger.
const deployKey = "Function hello"

// deployUntil deploys Functions that answer with a number.
func (k *killed) deployUntil(t *testing.T, over *atomic.Bool) {
	for status := 200; status != 0 && !over.Load(); {
		n := note{Key: deployKey, Value: k.newValue()}
		status = k.do(t, []note{n}, func() int { return k.deploy(t, n.Value) })
	}
}

func (k *killed) deploy(t *testing.T, text string) int {
	status, _, _ := k.call(t, "PUT", "/workers/scripts/hello", saying(text), "Content-Type", "application/wasm")
	return status
}

// saying is a Function that answers with a text.
func saying(text string) []byte {
	return build([]string{"respond"}, func(m *hosttest.Module, call map[string]uint32) [][]byte {
		m.Data(100, []byte(text))
		return [][]byte{numbers(200, 0, 0, 100, int32(len(text))), hosttest.Call(call["respond"]), hosttest.Drop}
	})
}
