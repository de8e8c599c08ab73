package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host/secret"
)

// Entry is one line. Append sets Seq, Time, Skipped, Prev, Sum and MAC.
type Entry struct {
	Seq       uint64    `json:"seq"` // 0 for the first line
	Time      time.Time `json:"time"`
	Action    string    `json:"action"` // such as "PUT accounts/{account}/tokens"
	Request   string    `json:"request,omitempty"`
	Token     string    `json:"token,omitempty"` // its id
	TokenName string    `json:"token_name,omitempty"`
	Account   string    `json:"account,omitempty"`
	// Target is what was changed: names and ids.
	Target map[string]string `json:"target,omitempty"`
	Status int               `json:"status,omitempty"` // of HTTP
	Remote string            `json:"remote,omitempty"` // address and port
	// Skipped counts refusals since the entry before that were not recorded,
	// because there were too many.
	Skipped int    `json:"skipped,omitempty"`
	Prev    string `json:"prev"`
	Sum     string `json:"sum,omitempty"` // always there in the log
	MAC     string `json:"mac,omitempty"` // of Sum, if the log has a key
}

// Bounds of an entry, in bytes. A text that is longer is cut.
const (
	maxText   = 256
	maxList   = 4096 // of a text in Target, which may list names
	maxTarget = 8    // texts
	maxLine   = 1 << 18
)

// clip cuts all texts of an entry to what may be in the log.
func (e Entry) clip() Entry {
	for _, text := range []*string{&e.Action, &e.Request, &e.Token, &e.TokenName, &e.Account, &e.Remote} {
		*text = cut(*text, maxText)
	}
	target := map[string]string{}
	for name, text := range e.Target {
		if len(target) < maxTarget {
			target[cut(name, maxText)] = cut(text, maxList)
		}
	}
	e.Target = target
	return e
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// What stands between the summed part of a line and its sum, and before its MAC.
const (
	beforeSum = `,"sum":"`
	beforeMAC = `,"mac":"`
)

const digits = 2 * sha256.Size // of a sum, or a MAC

// encode is the line of an entry, without its end; with a MAC, if there is a key.
func (e Entry) encode(key secret.Key) []byte {
	e.Sum, e.MAC = "", ""
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	data = data[:len(data)-1]
	sum := digest(data)
	line := append(append(append(data, beforeSum...), sum...), '"')
	if !key.IsZero() {
		line = append(append(append(line, beforeMAC...), macOf(key, sum)...), '"')
	}
	return append(line, '}')
}

// macOf binds a sum to this use of the key.
func macOf(key secret.Key, sum string) string { return key.MAC("mayfly audit log " + sum) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

var errDamaged = errors.New("was changed since it was written")

// decode reads a line, if no bit of it was changed.
func decode(line []byte) (e Entry, err error) {
	summed := withoutMAC(line)
	split := len(summed) - len(beforeSum) - digits - len(`"`)
	if split < 0 || !bytes.Equal(summed[split:], []byte(beforeSum+digest(line[:split])+`"`)) {
		return e, errDamaged
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("is no entry: %w", err)
	}
	return e, nil
}

// withoutMAC is a line up to its sum, or less if it is none.
func withoutMAC(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("}"))
	at := len(line) - len(beforeMAC) - digits - len(`"`)
	if at > 0 && bytes.HasPrefix(line[at:], []byte(beforeMAC)) {
		return line[:at]
	}
	return line
}
