package wagi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
)

// schedule sends the program a scheduled event at a path of its own.
func schedule(t *testing.T, path string, headers ...string) hosttest.Result {
	t.Helper()
	return invoke(t, hosttest.Invocation{
		Request:   hosttest.Request("POST", "https://fn.example.com"+path, "", headers...),
		Scheduled: &host.Scheduled{Cron: "0 5 * * MON", Time: time.UnixMilli(1_795_669_200_000)},
	})
}

func TestScheduled(t *testing.T) {
	for _, tt := range []struct{ name, path, output, err string }{
		{"writes nothing", "/exit?0", "", ""},
		{"writes a text", "/hello", "", ""},
		{"exits", "/exit?3", "done", "exited with code 3"},
		{"answers that it is not there", "/exit?0", "Status: 404 Not Found\n\nno such page", "answered the event, POST /exit, with status 404"},
		{"answers", "/exit?0", "Status: 204 No Content\n\n", ""},
		{"half a block", "/exit?0", "Status: 404 Not Found\nand so on", ""},
		{"traps", "/trap", "", "exited with code 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := schedule(t, tt.path, "x-output", tt.output)
			if tt.err == "" && got.Err != nil || tt.err != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", got.Err, tt.err)
			}
			if got.Answers != 0 {
				t.Errorf("there was an answer: %+v", got.Recorder)
			}
		})
	}
}

// Only a schedule sets the variables, whatever a request or the Function's own say.
func TestScheduledVariables(t *testing.T) {
	env := map[string]host.EnvValue{"MAYFLY_CRON": {Value: "own"}}
	bindings := &host.Bindings{Function: "test", Env: env}
	request := hosttest.Request("POST", "https://fn.example.com/env", "", "mayfly-cron", "header")
	got := invoke(t, hosttest.Invocation{Request: request, Bindings: bindings})
	if body := string(got.Body); strings.Contains(body, "\nMAYFLY_CRON") || strings.Contains(body, "\nMAYFLY_SCHEDULED_TIME") {
		t.Errorf("a request got %s", body)
	}
	seen := invoke(t, hosttest.Invocation{Request: hosttest.Request("POST", "https://fn.example.com/schedule", ""), Bindings: bindings,
		Scheduled: &host.Scheduled{Cron: "0 5 * * MON", Time: time.UnixMilli(1_795_669_200_000)}})
	if len(seen.Log) != 1 || seen.Log[0].Text != "0 5 * * MON at 1795669200000" {
		t.Errorf("logged %v, %v", seen.Log, seen.Err)
	}
}

// lines is what the program logged.
func lines(got hosttest.Result) (all []string) {
	for _, e := range got.Log {
		all = append(all, e.Text)
	}
	return all
}

func batchOf() *host.QueueBatch {
	return &host.QueueBatch{Queue: "jobs", Messages: []host.QueueMessage{
		{ID: "a", Sent: time.UnixMilli(5), Attempts: 2, ContentType: kv.ContentJSON, Body: []byte(`{"n":1}`)},
		{ID: "b", Sent: time.UnixMilli(6), Attempts: 1, ContentType: kv.ContentBytes, Body: []byte{0, 255}},
	}}
}

func TestQueue(t *testing.T) {
	const json = "Content-Type: application/json\n\n"
	ack, retry := host.QueueDecision{Made: true}, host.QueueDecision{Made: true, Retry: true, Delay: host.NoDelay}
	for name, tt := range map[string]struct {
		path, output, err string
		want              [2]host.QueueDecision
	}{
		"writes nothing":    {"/event", "", "", [2]host.QueueDecision{ack, ack}},
		"writes a text":     {"/event", "done", "", [2]host.QueueDecision{ack, ack}},
		"exits":             {"/exit?1", "", "exited with code 1", [2]host.QueueDecision{retry, retry}},
		"decides":           {"/event", json + `{"retries":[{"id":"b","delay_seconds":1.5}]}`, "", [2]host.QueueDecision{ack, {Made: true, Retry: true, Delay: 1500 * time.Millisecond}}},
		"decides and exits": {"/exit?2", json + `{"acks":[{"id":"a"}],"retries":[]}`, "exited with code 2", [2]host.QueueDecision{ack, retry}},
		"names another":     {"/event", json + `{"acks":[{"id":"c"}]}`, `names the message "c"`, [2]host.QueueDecision{retry, retry}},
		"is no JSON":        {"/event", json + `{`, "can't be read", [2]host.QueueDecision{retry, retry}},
		"bad delay":         {"/event", json + `{"retries":[{"id":"a","delay_seconds":1e9}]}`, "is out of range", [2]host.QueueDecision{retry, retry}},
		"answers":           {"/event", "Status: 404 Not Found\n\n", "answered the event, POST /event, with status 404", [2]host.QueueDecision{retry, retry}},
	} {
		t.Run(name, func(t *testing.T) {
			b := batchOf()
			got := invoke(t, hosttest.Invocation{Request: hosttest.Request("POST", "https://fn.example.com"+tt.path, "", "x-output", tt.output), Queue: b})
			if tt.err == "" && got.Err != nil || tt.err != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", got.Err, tt.err)
			}
			for i, want := range tt.want {
				if d := b.Decision(i, got.Err == nil); d != want {
					t.Errorf("message %d: got %+v, want %+v", i, d, want)
				}
			}
			if tt.path != "/event" {
				return
			}
			want := []string{"MAYFLY_QUEUE=jobs", "CONTENT_TYPE=application/json", "CONTENT_LENGTH=189",
				`{"queue":"jobs","messages":[{"id":"a","timestamp_ms":5,"attempts":2,"content_type":"json","body":"{\"n\":1}"},{"id":"b","timestamp_ms":6,"attempts":1,"content_type":"bytes","body":"AP8="}]}`}
			if got := lines(got); !slices.Equal(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
		})
	}
}

func TestKV(t *testing.T) {
	put := host.KVChange{Namespace: "ns", Key: "k", Revision: 7, OldRevision: 3, Value: []byte("value")}
	removed := host.KVChange{Namespace: "ns", Key: "a\x00b", Revision: 8, Deleted: true}
	large := host.KVChange{Namespace: "ns", Key: "k", Revision: 9, Omitted: true}
	for _, tt := range []struct {
		change host.KVChange
		want   string
	}{
		{put, "MAYFLY_KV_OPERATION=put MAYFLY_KV_NAMESPACE=ns MAYFLY_KV_REVISION=7 MAYFLY_KV_OLD_REVISION=3 MAYFLY_KV_KEY=k CONTENT_TYPE=application/octet-stream CONTENT_LENGTH=5 value"},
		{removed, "MAYFLY_KV_OPERATION=delete MAYFLY_KV_NAMESPACE=ns MAYFLY_KV_REVISION=8 MAYFLY_KV_OLD_REVISION=0"},
		{large, "MAYFLY_KV_OPERATION=put MAYFLY_KV_NAMESPACE=ns MAYFLY_KV_REVISION=9 MAYFLY_KV_OLD_REVISION=0 MAYFLY_KV_KEY=k MAYFLY_KV_OMITTED=1"},
	} {
		got := invoke(t, hosttest.Invocation{Request: hosttest.Request("POST", "https://fn.example.com/event", ""), Change: &tt.change})
		if text := strings.Join(lines(got), " "); text != tt.want || got.Err != nil {
			t.Errorf("got %s, %v, want %s", text, got.Err, tt.want)
		}
	}
}
