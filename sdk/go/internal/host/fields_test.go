package host_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

func TestFields(t *testing.T) {
	tests := map[string]struct {
		fields []host.Field
		block  string
	}{
		"none":         {nil, ""},
		"one":          {[]host.Field{{"a", "b"}}, "a\x00b\x00"},
		"order kept":   {[]host.Field{{"b", "1"}, {"a", "2"}, {"b", "3"}}, "b\x001\x00a\x002\x00b\x003\x00"},
		"empty value":  {[]host.Field{{"a", ""}}, "a\x00\x00"},
		"case kept":    {[]host.Field{{"Content-Type", "Text/HTML"}}, "Content-Type\x00Text/HTML\x00"},
		"beyond ASCII": {[]host.Field{{"a", "é\xff"}}, "a\x00é\xff\x00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			block, err := host.AppendFields(nil, tt.fields)
			if err != nil || string(block) != tt.block {
				t.Errorf("block %q, %v, want %q", block, err, tt.block)
			}
			if got := host.ParseFields(block); !slices.Equal(got, tt.fields) {
				t.Errorf("fields %q, want %q", got, tt.fields)
			}
		})
	}
}

func TestFieldsRefuseNUL(t *testing.T) {
	for _, f := range []host.Field{{"a\x00b", "c"}, {"a", "b\x00set-cookie\x00c"}} {
		block, err := host.AppendFields(nil, []host.Field{f})
		var e *host.Error
		if !errors.As(err, &e) || e.Code != host.Invalid {
			t.Errorf("%q: got %q, %v, want invalid", f, block, err)
		}
	}
}

func TestParseFieldsIgnoresRest(t *testing.T) {
	want := []host.Field{{"a", "b"}}
	for _, block := range []string{"a\x00b\x00c", "a\x00b\x00c\x00", "a\x00b\x00c\x00d"} {
		if got := host.ParseFields([]byte(block)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", block, got, want)
		}
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("a\x00b\x00"))
	f.Add([]byte("a\x00\x00\x00\x00c"))
	f.Fuzz(func(t *testing.T, block []byte) {
		fields := host.ParseFields(block)
		again, err := host.AppendFields(nil, fields)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > len(block) || string(again) != string(block[:len(again)]) {
			t.Errorf("%q became %q", block, again)
		}
	})
}

func record(key, metadata string, revision, expires byte) string {
	return string([]byte{byte(len(key)), 0, 0, 0, byte(len(metadata)), 0, 0, 0,
		revision, 1, 0, 0, 0, 0, 0, 0, expires, 0, 0, 0, 0, 0, 0, 0}) + key + metadata
}

func TestParsePage(t *testing.T) {
	page := record("a", "", 7, 0) + record("bc", `{"x":1}`, 8, 9)
	want := []host.Entry{
		{Key: "a", Metadata: []byte{}, Revision: 256 + 7},
		{Key: "bc", Metadata: []byte(`{"x":1}`), Revision: 256 + 8, Expires: 9},
	}
	got, err := host.ParsePage([]byte(page))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := host.ParsePage(nil); got != nil || err != nil {
		t.Errorf("empty page: got %+v, %v", got, err)
	}
	for n := 1; n < len(page); n++ {
		if n == len(record("a", "", 7, 0)) {
			continue
		}
		if _, err := host.ParsePage([]byte(page[:n])); err == nil {
			t.Errorf("page cut at %d: no error", n)
		}
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add([]byte(record("key", "{}", 1, 2)))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff0123456789abcdef"))
	f.Fuzz(func(t *testing.T, page []byte) {
		entries, err := host.ParsePage(page)
		size := 0
		for _, e := range entries {
			size += 24 + len(e.Key) + len(e.Metadata)
		}
		if err == nil && size != len(page) {
			t.Errorf("%d bytes of records from a page of %d", size, len(page))
		}
	})
}
