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
)

// Entry is one line. Append sets Seq, Time, Skipped, Prev and Sum.
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

// before is what stands between the summed part of a line and its sum.
const before = `,"sum":"`

// encode is the line of an entry, without its end.
func (e Entry) encode() []byte {
	e.Sum = ""
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	data = data[:len(data)-1]
	return append(append(append(data, before...), digest(data)...), `"}`...)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

var errDamaged = errors.New("was changed since it was written")

// decode reads a line, if no bit of it was changed.
func decode(line []byte) (e Entry, err error) {
	split := len(line) - len(before) - sha256.Size*2 - len(`"}`)
	if split < 0 || !bytes.Equal(line[split:], []byte(before+digest(line[:split])+`"}`)) {
		return e, errDamaged
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("is no entry: %w", err)
	}
	return e, nil
}
