package js_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// texts are what the guest of FuzzCall finds in its memory.
var texts = []string{"STORE\x00key", `{"binding":"STORE","key":"k","expirationTtl":60,"metadata":1}`, `{"binding":"STORE","limit":1,"cursor":"x"}`,
	"\x00GET\x00http://example.com/\x00a\x00b\x00", "AUTH\x00POST\x00http://a/\x00", "LIMITER\x00k", "http://user@host:1/a?b#c", "SHA-256", "gzip", `[{"selector":"p","Element":true}]`, "\x00https://a/\x00etag\x00x\x00", `{"name":"Ed25519","format":"jwk"}`, "text\xff\xed\xa0\x80", "1",
	`{"binding":"Q","messages":[{"type":"json","size":1,"delay":2}]}`, "Q", `{"binding":"STORE","keys":["k","m"]}`}

// everything is an Invocation with something behind each operation.
func everything(t testing.TB) hosttest.Invocation {
	services := hosttest.Services(t)
	services.Fetcher = hosttest.Fetcher(answering)
	return hosttest.Invocation{
		Services: services,
		Request:  hosttest.Request("POST", "https://example.com/path", "the request's body", "accept", "*/*"),
		Bindings: &host.Bindings{
			Account: "local", Function: "test", Version: "1", Secrets: []string{"S"},
			Env:      map[string]host.EnvValue{"NAME": {Value: "value"}, "S": {Value: "s", Secret: true}},
			KV:       map[string]kv.Store{"STORE": memkv.New(memkv.Config{Now: services.Now})},
			Fetchers: map[string]host.Fetcher{"AUTH": hosttest.Fetcher(answering)},
			Queues:   map[string]host.QueueProducer{"Q": new(hosttest.Queue)},
			Cache:    cache.New(cache.Config{Bytes: 1 << 20}).Of("local"),
		},
		Change: &host.KVChange{Key: "k", Value: []byte("v"), Metadata: []byte("1")},
		Queue: &host.QueueBatch{Queue: "q", Messages: []host.QueueMessage{
			{ID: "1", ContentType: kv.ContentText, Body: []byte("\xff")}, {ID: "2", ContentType: kv.ContentV8, Body: []byte("b")}}},
		Limits: host.Limits{Wall: 50 * time.Millisecond, AfterResponse: 50 * time.Millisecond, Subrequests: 6, KVOperations: 20, Log: 100, Held: 1000, Response: 100},
	}
}

func answering(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
	return &host.FetchResponse{Status: 200, Headers: host.Headers{}.Add("a", "b"), Body: io.NopCloser(strings.NewReader(strings.Repeat("body", 100)))}, nil
}

// FuzzCall lets a guest call any operations with any arguments, and ask for events.
// Nothing panics but to trap the guest, no limit is passed and nothing is left behind.
func FuzzCall(f *testing.F) {
	all := strings.Join(texts, "")
	at := func(s string) (byte, byte) { return byte(strings.Index(all, s)), byte(len(s)) }
	seed := func(calls ...[]byte) {
		var program []byte
		for _, c := range calls {
			program = append(program, c...)
		}
		f.Add(program)
	}
	for op := range byte(js.Operations) { // each by itself, and then what it began
		for _, s := range texts {
			offset, n := at(s)
			seed([]byte{op, 1, offset, n, offset, n}, []byte{255, 0, 0, 0, 0, 0}, []byte{op, 1, offset, n, 0, 0}, []byte{255, 0, 0, 0, 0, 0})
		}
	}
	p := hosttest.NewPlayer(f, everything(f), js.Module())
	f.Fuzz(func(t *testing.T, program []byte) {
		inv := everything(t)
		inv.Parent = t.Context()
		p.Next(inv)
		p.Memory().WriteString(0, all)
		for calls := 0; len(program) >= 6 && calls < 50; calls++ {
			c := program[:6]
			program = program[6:]
			play(t, p, c)
		}
		if u := p.Call.Usage; u.Subrequests > 6 || u.KVOperations > 20 || u.LogBytes > 100 {
			t.Errorf("a limit was passed: %+v", u)
		}
	})
}

// play does one call and takes what it gives. Errors are traps.
func play(t *testing.T, p *hosttest.Player, c []byte) {
	if c[0] == 255 {
		p.Try("next")
		return
	}
	got, err := p.Try("call", int64(c[0]), int64(int8(c[1])), int64(c[2]), int64(c[3]), int64(c[4]), int64(c[5]))
	if err != nil || got>>32 < js.KindText {
		return
	}
	const room = 32768
	if _, err := p.Try("take", room); err != nil {
		t.Logf("take of %d bytes: %v", uint32(got), err)
	}
}
