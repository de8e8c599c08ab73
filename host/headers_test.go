package host_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
)

func TestHeaders(t *testing.T) {
	var h host.Headers
	h = h.Add("a", "1").Add("Set-Cookie", "x").Add("set-cookie", "").Add("b", "")
	if want := "a\x001\x00Set-Cookie\x00x\x00set-cookie\x00\x00b\x00\x00"; string(h) != want {
		t.Fatalf("got %q, want %q", h, want)
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		name, want string
		ok         bool
	}{
		{"a", "1", true}, {"A", "1", true}, {"SET-COOKIE", "x", true}, {"set-cookie", "x", true}, {"b", "", true},
		{"", "", false}, {"c", "", false}, {"1", "", false}, {"set-cookie\x00", "", false},
	} {
		if got, ok := h.Get(tt.name); string(got) != tt.want || ok != tt.ok {
			t.Errorf("Get(%q) = %q, %v, want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
	n := 0
	for range h.All() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d fields before the break, want 2", n)
	}
}

func TestHeadersCheck(t *testing.T) {
	for block, want := range map[string]host.Code{
		"":                               0,
		"a\x00\x00":                      0,
		"a\x00b\tc \xff\x00":             0,
		"!#$%&'*+-.^_`|~09azAZ\x00v\x00": 0,
		"a":                              host.CodeInvalid,
		"a\x00b":                         host.CodeInvalid,
		"\x00\x00":                       host.CodeInvalid,
		"a\x00b\x00\x00c\x00":            host.CodeInvalid,
		"a\"\x00b\x00":                   host.CodeInvalid,
		"ü\x00b\x00":                     host.CodeInvalid,
		"a\x00\x1f\x00":                  host.CodeInvalid,
		"a\x00b\r\x00":                   host.CodeInvalid,
		"a\x00\t\x00":                    host.CodeInvalid,
		"a\x00" + strings.Repeat("v", host.MaxHeaders-3) + "\x00": 0,
		"a\x00" + strings.Repeat("v", host.MaxHeaders-2) + "\x00": host.CodeTooLarge,
	} {
		err := host.Headers(block).Check()
		if got := codeOf(err); got != want {
			t.Errorf("Check(%.30q) = %v, want code %v", block, err, want)
		}
		if err != nil && len(err.Msg) > 1000 {
			t.Errorf("Check(%.30q) says it in %d bytes", block, len(err.Msg))
		}
	}
}

func codeOf(err *host.Error) host.Code {
	if err == nil {
		return 0
	}
	return err.Code
}

// A block that Check lets pass is the one that its fields make up again, and
// nothing panics on one that it refuses.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"", "a\x00b\x00", "a\x00b\x00A\x00\x00", "a", "\x00", "a\x00 b\x00", "é\x00\n\x00"} {
		f.Add([]byte(seed), "a")
	}
	f.Fuzz(func(t *testing.T, block []byte, name string) {
		h := host.Headers(block)
		var again host.Headers
		for n, v := range h.All() {
			again = again.Add(string(n), string(v))
			if host.IsHopByHop(n) != host.IsHopByHop(bytes.ToUpper(n)) && isASCII(n) {
				t.Errorf("IsHopByHop(%q) depends on the case", n)
			}
		}
		value, found := h.Get(name)
		if h.Check() != nil {
			return
		}
		if !bytes.Equal(again, block) {
			t.Errorf("%q became %q", block, again)
		}
		if want := bytes.Contains(block, []byte{0}); found && !want {
			t.Errorf("Get(%q) = %q from %q", name, value, block)
		}
		if bytes.ContainsAny(value, "\r\n\x00") {
			t.Errorf("value %q can split a message", value)
		}
	})
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func TestIsHopByHop(t *testing.T) {
	for name, want := range map[string]bool{
		"connection": true, "Keep-Alive": true, "Proxy-Connection": true, "TE": true, "trailer": true,
		"TRANSFER-ENCODING": true, "upgrade": true, "content-length": true,
		"": false, "t": false, "host": false, "content-type": false, "accept": false, "connectiom": false,
	} {
		if got := host.IsHopByHop([]byte(name)); got != want {
			t.Errorf("IsHopByHop(%q) = %v, want %v", name, got, want)
		}
	}
}
