package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Error is a request that the node refused or could not carry out.
type Error struct {
	Status   int // of HTTP
	Messages []Message
}

// Message is one reason.
type Message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error gives the reasons as the node put them.
func (e *Error) Error() string {
	var reasons []string
	for _, m := range e.Messages {
		reason := m.Message
		if m.Code != 0 {
			reason = fmt.Sprintf("%s (code %d)", reason, m.Code)
		}
		reasons = append(reasons, reason)
	}
	if len(reasons) == 0 {
		return fmt.Sprintf("the node answered with status %d and no reason", e.Status)
	}
	return strings.Join(reasons, "; ")
}

// CodeNoRoute is Cloudflare's for a URL that the API does not have.
const CodeNoRoute = 7000

// CodeNoScript is Cloudflare's for a Function that is not there.
const CodeNoScript = 10007

// CodeNoKey is Cloudflare's for a key of KV that is not there.
const CodeNoKey = 10009

// CodeUnauthorized is Cloudflare's for a token that is good, but not for this.
const CodeUnauthorized = 9109

// Has reports whether one of the reasons has this code.
func (e *Error) Has(code int) bool {
	return slices.ContainsFunc(e.Messages, func(m Message) bool { return m.Code == code })
}

// UnreachableError is a node that gave no answer.
type UnreachableError struct {
	Base string
	Err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no answer from the node at %s: %v", e.Base, e.Err)
}

// Unwrap gives what the connection failed with.
func (e *UnreachableError) Unwrap() error { return e.Err }

// envelope is what every answer is wrapped in.
type envelope struct {
	Success    bool            `json:"success"`
	Errors     []Message       `json:"errors"`
	Messages   []Message       `json:"messages"`
	Result     json.RawMessage `json:"result"`
	ResultInfo pageInfo        `json:"result_info"`
}

// pageInfo is what an answer has beside its result.
type pageInfo struct {
	Cursor string `json:"cursor"` // of the next page; empty after the last
	said   []Message
}

// open unwraps an answer into out, unless that is nil.
func open(status int, reply []byte, out any) (pageInfo, error) {
	var e envelope
	if err := json.Unmarshal(reply, &e); err != nil {
		return pageInfo{}, foreign(status, reply)
	}
	if !e.Success || status < 200 || status > 299 {
		return pageInfo{}, &Error{status, e.Errors}
	}
	if out != nil {
		if err := json.Unmarshal(e.Result, out); err != nil {
			return pageInfo{}, fmt.Errorf("decode the node's answer: %w", err)
		}
	}
	e.ResultInfo.said = e.Messages
	return e.ResultInfo, nil
}

// foreign is the error for an answer that is no envelope: something else than
// a node's API listens there.
func foreign(status int, reply []byte) error {
	line, _, _ := bytes.Cut(bytes.TrimSpace(reply), []byte("\n"))
	line = line[:min(len(line), 120)]
	return &Error{status, []Message{{Message: fmt.Sprintf(
		"what answers there is not a node's API (status %d, %q); the API is at the node's admin address, below /client/v4", status, line)}}}
}
