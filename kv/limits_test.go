package kv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// wantLimit compares with "status message", or "" for no error.
func wantLimit(t *testing.T, what string, err error, status int, msg string) {
	t.Helper()
	if msg == "" {
		if err != nil {
			t.Errorf("%s: got %v, want no error", what, err)
		}
		return
	}
	var limit *kv.LimitError
	if !errors.As(err, &limit) || limit.Status != status || limit.Msg != msg {
		t.Errorf("%s: got %+v, want %d %q", what, err, status, msg)
	}
}

func TestCheckKey(t *testing.T) {
	for _, c := range []struct {
		key    string
		status int
		msg    string
	}{
		{"a", 0, ""},
		{"...", 0, ""},
		{strings.Repeat("ü", 256), 0, ""},
		{"", 400, "Key names must not be empty"},
		{".", 400, `Illegal key name ".". Please use a different name.`},
		{"..", 400, `Illegal key name "..". Please use a different name.`},
		{strings.Repeat("ü", 256) + "x", 414, "UTF-8 encoded length of 513 exceeds key length limit of 512."},
		{"a\xff", 400, "Key names must be valid UTF-8"},
	} {
		wantLimit(t, c.key, kv.CheckKey(c.key), c.status, c.msg)
	}
	wantLimit(t, "empty prefix", kv.CheckKeyPrefix(""), 0, "")
	wantLimit(t, "dot prefix", kv.CheckKeyPrefix("."), 0, "")
}

func TestCheckValueAndMetadata(t *testing.T) {
	wantLimit(t, "largest value", kv.CheckValue(25<<20), 0, "")
	wantLimit(t, "larger value", kv.CheckValue(25<<20+1), 413, "Value length of 26214401 exceeds limit of 26214400.")
	wantLimit(t, "no metadata", kv.CheckMetadata(nil), 0, "")
	longest := `"` + strings.Repeat("m", 1022) + `"`
	wantLimit(t, "longest metadata", kv.CheckMetadata([]byte(longest)), 0, "")
	wantLimit(t, "longer metadata", kv.CheckMetadata([]byte(longest+" ")), 413, "Metadata length of 1025 exceeds limit of 1024.")
	wantLimit(t, "not JSON", kv.CheckMetadata([]byte(`{`)), 400, "Metadata must be valid JSON.")
}

func TestCheckListLimit(t *testing.T) {
	wantLimit(t, "1", kv.CheckListLimit(1), 0, "")
	wantLimit(t, "1000", kv.CheckListLimit(1000), 0, "")
	wantLimit(t, "0", kv.CheckListLimit(0), 400, "Invalid key_count_limit of 0. Please specify an integer greater than 0.")
	wantLimit(t, "1001", kv.CheckListLimit(1001), 400, "Invalid key_count_limit of 1001. Please specify an integer less than 1000.")
}

func TestParseExpiry(t *testing.T) {
	now := time.UnixMilli(1_000_000_400)
	const (
		past    = "Please specify integer greater than the current number of seconds since the UNIX epoch."
		notTTL  = "Please specify integer greater than 0."
		tooLate = "Please specify a time before the year 10000."
	)
	for _, c := range []struct {
		expiration, ttl string
		minimum         time.Duration
		want            int64 // milliseconds; 0: the zero time
		msg             string
	}{
		{"", "", kv.MinTTLCloudflare, 0, ""},
		{"", "60", kv.MinTTLCloudflare, 1_000_060_400, ""},
		{"", "1", kv.MinTTL, 1_000_001_400, ""},
		{"1000060", "", kv.MinTTLCloudflare, 1_000_060_000, ""},
		{"1000001", "", kv.MinTTL, 1_000_001_000, ""},
		{"1000", "60", kv.MinTTL, 1_000_060_400, ""}, // the time to live counts
		{"", "59", kv.MinTTLCloudflare, 0, "Invalid expiration_ttl of 59. Expiration TTL must be at least 60."},
		{"", "0", kv.MinTTL, 0, "Invalid expiration_ttl of 0. " + notTTL},
		{"", "-5", kv.MinTTL, 0, "Invalid expiration_ttl of -5. " + notTTL},
		{"", "60s", kv.MinTTL, 0, "Invalid expiration_ttl of 60s. " + notTTL},
		{"", "9223372036854775808", kv.MinTTL, 0, "Invalid expiration_ttl of 9223372036854775808. " + tooLate},
		{"", "253402300799", kv.MinTTL, 0, "Invalid expiration_ttl of 253402300799. " + tooLate},
		{"1000059", "", kv.MinTTLCloudflare, 0, "Invalid expiration of 1000059. Expiration times must be at least 60 seconds in the future."},
		{"1000000", "", kv.MinTTL, 0, "Invalid expiration of 1000000. " + past},
		{"soon", "", kv.MinTTL, 0, "Invalid expiration of soon. " + past},
		{"253402300800", "", kv.MinTTL, 0, "Invalid expiration of 253402300800. " + tooLate},
	} {
		got, err := kv.ParseExpiry(c.expiration, c.ttl, now, c.minimum)
		wantLimit(t, c.expiration+"/"+c.ttl, err, 400, c.msg)
		if c.want == 0 && !got.IsZero() || c.want != 0 && got.UnixMilli() != c.want {
			t.Errorf("%s/%s: got %v, want %d", c.expiration, c.ttl, got, c.want)
		}
	}
}

func FuzzParseExpiry(f *testing.F) {
	f.Add("", "", int64(0))
	f.Add("1800000000", "", int64(1_700_000_000))
	f.Add("", "60", int64(1_700_000_000))
	f.Add("", "9223372036854775807", int64(-1))
	f.Fuzz(func(t *testing.T, expiration, ttl string, unix int64) {
		now := time.Unix(unix%253402300799, 0)
		got, err := kv.ParseExpiry(expiration, ttl, now, kv.MinTTL)
		var limit *kv.LimitError
		switch {
		case err != nil && (!errors.As(err, &limit) || !got.IsZero()):
			t.Fatalf("got %v with error %v", got, err)
		case err == nil && got.IsZero() != (expiration == "" && ttl == ""):
			t.Fatalf("got %v without an error", got)
		case !got.IsZero() && (got.Before(now.Add(kv.MinTTL)) || got.Year() > 10000):
			t.Fatalf("got %v, which is not between now and the year 10000", got)
		}
	})
}

func ExampleCheckKey() {
	var limit *kv.LimitError
	if err := kv.CheckKey(".."); errors.As(err, &limit) {
		fmt.Println(limit.Status, limit.Msg)
	}
	// Output: 400 Illegal key name "..". Please use a different name.
}
