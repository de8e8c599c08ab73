package cli_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// numbered answers with its number. Its start function wrote the last digit, so
// that only an initialised one answers right; every tenth has other code.
func numbered(n int) []byte {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("respond")
	respond := m.Import("mayfly", "respond", f.Params, f.Results)
	m.Memory(1)
	text := strconv.Itoa(n)
	m.Data(0, []byte(text[:len(text)-1]+"?"))
	m.Start(m.Func("", nil, nil, nil, hosttest.I32Const(int32(len(text)-1)), hosttest.I32Const(int32(text[len(text)-1])), hosttest.I32Store8(0)))
	ops := [][]byte{hosttest.I32Const(int32(n / 10)), hosttest.Drop}
	for _, v := range []int32{200, 0, 0, 0, int32(len(text))} {
		ops = append(ops, hosttest.I32Const(v))
	}
	m.Func("fetch", nil, nil, nil, append(ops, hosttest.Call(respond), hosttest.Drop)...)
	return m.Bytes()
}

// A node that is killed at any moment of a deploy serves the old Version or the
// new one when it starts again, whole, and the new one if the deploy was
// acknowledged.
func TestKilledDuringDeploys(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	s := mustServe(t)
	acknowledged, n := 0, 10
	// On a busy machine some rounds end before a deploy does.
	for round := 0; round < rounds || acknowledged < 10+rounds && round < 10*rounds; round++ {
		began, next, first := n, make(chan int, 1), make(chan bool)
		go func() { // until the node is gone
			done := acknowledged
			for i := began; ; i++ {
				if s.deploy(t, "numbered", numbered(i)) != nil {
					break
				}
				if done = i; i == began {
					close(first)
				}
			}
			if done < began {
				close(first)
			}
			next <- done
		}()
		if round%2 == 0 {
			<-first // a busy machine takes its time
		}
		time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
		s.kill(t)
		acknowledged = max(acknowledged, <-next)
		s = mustServeIn(t, s.data)
		n = s.mustServeNumber(t, round, acknowledged) + 1
	}
	if acknowledged < 10+rounds {
		t.Errorf("%d deploys in %d rounds are too few to tell", acknowledged-10, rounds)
	}
}

// mustServeNumber checks which Version serves, if any was deployed at all.
func (s *server) mustServeNumber(t *testing.T, round, acknowledged int) int {
	t.Helper()
	status, body := s.get(t, "numbered")
	got, err := strconv.Atoi(body)
	switch {
	case acknowledged == 0 && status == 404:
		return 9
	case status != 200 || err != nil:
		t.Fatalf("round %d: status %d, %q", round, status, body)
	case got < acknowledged || got > max(acknowledged, 9)+1: // the first is 10
		t.Fatalf("round %d: version %d serves; %d was acknowledged", round, got, acknowledged)
	}
	return got
}

// kill ends the node without notice.
func (s *server) kill(t *testing.T) {
	t.Helper()
	s.mustSignal(t, syscall.SIGKILL)
	s.cmd.Wait() //nolint:errcheck // it was killed
}

// get asks a Function for "/".
func (s *server) get(t *testing.T, function string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+s.web+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = function + ".localhost"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
