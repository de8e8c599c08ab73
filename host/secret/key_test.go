package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/secret"
)

func TestParseKey(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(200 + i)
	}
	want, err := secret.ParseKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"base64":              base64.StdEncoding.EncodeToString(raw),
		"base64 with space":   "  " + base64.StdEncoding.EncodeToString(raw) + "\r\n",
		"base64 unpadded":     base64.RawStdEncoding.EncodeToString(raw),
		"base64 for URLs":     base64.URLEncoding.EncodeToString(raw),
		"hexadecimal":         hex.EncodeToString(raw) + "\n",
		"hexadecimal capital": strings.ToUpper(hex.EncodeToString(raw)),
		"its own":             want.Encode() + "\n",
	} {
		if got, err := secret.ParseKey([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"a password":      "correct horse battery staple 123",
		"too short":       base64.StdEncoding.EncodeToString(raw[:31]),
		"too long":        hex.EncodeToString(append(raw, 1)),
		"two keys":        want.Encode() + "\n" + want.Encode(),
		"33 bytes":        string(raw) + "\n",
		"no base64 digit": strings.Repeat("!", 44),
	} {
		_, err := secret.ParseKey([]byte(text))
		if err == nil || len(text) > 0 && strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want an error without the text", name, err)
		}
	}
}

func TestKeyDoesNotPrintItself(t *testing.T) {
	k := secret.NewKey()
	raw, err := base64.StdEncoding.DecodeString(k.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		text := fmt.Sprintf(verb, k)
		for _, part := range []string{k.Encode(), hex.EncodeToString(raw[:4]), fmt.Sprint(raw[:4])[1:8]} {
			if strings.Contains(text, part) {
				t.Errorf("%s: %s has %s", verb, text, part)
			}
		}
	}
	if k.IsZero() || !(secret.Key{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}
