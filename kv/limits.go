package kv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"
)

// What users may write, as on Cloudflare:
// https://developers.cloudflare.com/kv/platform/limits/
const (
	UserMaxKey      = 512      // bytes of UTF-8
	UserMaxValue    = 25 << 20 // bytes
	UserMaxMetadata = 1024     // bytes of JSON
	UserMaxList     = 1000     // keys in one page
)

// LimitError says which rule for users a request breaks. Status and Msg are
// those of Cloudflare's KV where it has the rule, because clients match on
// them. (Source: the validator of miniflare, in cloudflare/workers-sdk.)
type LimitError struct {
	Status int    // HTTP status
	Code   int    // Cloudflare's for it, in answers of the API; 0: there is none
	Msg    string // may be shown to the user
}

func (e *LimitError) Error() string { return e.Msg }

func limitError(status int, format string, args ...any) error {
	return &LimitError{Status: status, Msg: fmt.Sprintf(format, args...)}
}

// CheckKey returns a *LimitError unless a user may write the key.
func CheckKey(key string) error {
	switch {
	case key == "":
		return limitError(http.StatusBadRequest, "Key names must not be empty")
	case key == "." || key == "..":
		return limitError(http.StatusBadRequest, "Illegal key name %q. Please use a different name.", key)
	}
	return CheckKeyPrefix(key)
}

// CheckKeyPrefix returns a *LimitError unless a user's key may begin with
// prefix. It is also the rule for the prefix of a listing, which may be empty.
func CheckKeyPrefix(prefix string) error {
	if len(prefix) > UserMaxKey {
		return limitError(http.StatusRequestURITooLong,
			"UTF-8 encoded length of %d exceeds key length limit of %d.", len(prefix), UserMaxKey)
	}
	// Listings carry keys in JSON, which cannot hold anything else.
	if !utf8.ValidString(prefix) {
		return limitError(http.StatusBadRequest, "Key names must be valid UTF-8")
	}
	return nil
}

// CheckValue returns a *LimitError when a value of size bytes is too large. It
// takes the size so that a declared length can be refused before it is read.
func CheckValue(size int64) error {
	if size > UserMaxValue {
		return limitError(http.StatusRequestEntityTooLarge,
			"Value length of %d exceeds limit of %d.", size, UserMaxValue)
	}
	return nil
}

// CheckMetadata returns a *LimitError unless metadata is empty or JSON of an
// allowed length.
func CheckMetadata(metadata []byte) error {
	if len(metadata) > UserMaxMetadata {
		return limitError(http.StatusRequestEntityTooLarge,
			"Metadata length of %d exceeds limit of %d.", len(metadata), UserMaxMetadata)
	}
	if len(metadata) > 0 && !json.Valid(metadata) {
		return limitError(http.StatusBadRequest, "Metadata must be valid JSON.")
	}
	return nil
}

// CheckListLimit returns a *LimitError unless a user may ask for pages of n keys.
func CheckListLimit(n int) error {
	if n < 1 {
		return limitError(http.StatusBadRequest,
			"Invalid key_count_limit of %d. Please specify an integer greater than 0.", n)
	}
	if n > UserMaxList {
		return limitError(http.StatusBadRequest,
			"Invalid key_count_limit of %d. Please specify an integer less than %d.", n, UserMaxList)
	}
	return nil
}
