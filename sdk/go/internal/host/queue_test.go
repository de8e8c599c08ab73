package host_test

import (
	"reflect"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// FuzzParseBatch and FuzzParseChange read any bytes without a panic.
func FuzzParseBatch(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x01\x00\x00\x00" + "12345678" + "12345678" + "12345678" + "q" +
		"\x02\x00\x00\x00" + "\x01\x00\x00\x00" + "\x03\x00\x00\x00" + "\x04\x00\x00\x00" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "id"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if head, err := host.ParseBatch(b); err == nil && len(head.Messages) > len(b) {
			t.Errorf("%d messages of %d bytes", len(head.Messages), len(b))
		}
	})
}

func FuzzParseChange(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add([]byte("\x01"))
	f.Fuzz(func(t *testing.T, b []byte) { host.ParseChange(b) })
}

func TestParseBatch(t *testing.T) {
	b := "\x01\x00\x00\x00\x01\x00\x00\x00" + "\x05\x00\x00\x00\x00\x00\x00\x00" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "\x07\x00\x00\x00\x00\x00\x00\x00" + "q" +
		"\x02\x00\x00\x00" + "\x01\x00\x00\x00" + "\x03\x00\x00\x00" + "\x04\x00\x00\x00" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "id"
	want := host.BatchHead{Queue: "q", Backlog: host.Backlog{Messages: 5, Bytes: 6, Oldest: 7}, Messages: []host.Message{{ID: "id", Type: 1, Attempts: 3, Size: 4, Sent: 6}}}
	if got, err := host.ParseBatch([]byte(b)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for n := range len(b) {
		if _, err := host.ParseBatch([]byte(b[:n])); err == nil {
			t.Errorf("%d bytes of %d are no batch", n, len(b))
		}
	}
}
