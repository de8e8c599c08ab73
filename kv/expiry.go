package kv

import (
	"net/http"
	"strconv"
	"time"
)

// The shortest time to live that users may ask for.
const (
	MinTTLCloudflare = 60 * time.Second // on the Cloudflare-shaped API
	MinTTL           = time.Second      // on Mayfly's own
)

// maxExpiration is the last second of the year 9999. Later times cannot be
// written in RFC 3339, and adding to them overflows.
const maxExpiration = 253402300799

// ExpireAt resolves an expiration in seconds since the Unix epoch. The error is
// a *LimitError: it must be at least minimum (whole seconds) ahead of now.
func ExpireAt(expiration int64, now time.Time, minimum time.Duration) (time.Time, error) {
	return expireAt(expiration, strconv.FormatInt(expiration, 10), now, minimum)
}

// ExpireIn resolves a time to live in seconds. The error is a *LimitError: it
// must be at least minimum (whole seconds).
func ExpireIn(ttl int64, now time.Time, minimum time.Duration) (time.Time, error) {
	return expireIn(ttl, strconv.FormatInt(ttl, 10), now, minimum)
}

// ParseExpiry resolves the parameters expiration and expiration_ttl of a
// request, in decimal seconds; an empty one was not given, and both empty is
// the zero time: no expiry. Where both are given the time to live counts, as on
// Cloudflare. The error is a *LimitError.
func ParseExpiry(expiration, ttl string, now time.Time, minimum time.Duration) (time.Time, error) {
	switch {
	case ttl != "":
		n, _ := strconv.ParseInt(ttl, 10, 64) // what is no number is 0, or out of range at either end: all refused
		return expireIn(n, ttl, now, minimum)
	case expiration != "":
		n, _ := strconv.ParseInt(expiration, 10, 64)
		return expireAt(n, expiration, now, minimum)
	}
	return time.Time{}, nil
}

func expireAt(expiration int64, raw string, now time.Time, minimum time.Duration) (time.Time, error) {
	seconds := int64(minimum / time.Second)
	switch {
	case expiration <= now.Unix():
		return time.Time{}, limitError(http.StatusBadRequest,
			"Invalid expiration of %s. Please specify integer greater than the current number of seconds since the UNIX epoch.", raw)
	case expiration < now.Unix()+seconds:
		return time.Time{}, limitError(http.StatusBadRequest,
			"Invalid expiration of %s. Expiration times must be at least %d seconds in the future.", raw, seconds)
	case expiration > maxExpiration:
		return time.Time{}, tooLate("expiration", raw)
	}
	return time.Unix(expiration, 0), nil
}

func expireIn(ttl int64, raw string, now time.Time, minimum time.Duration) (time.Time, error) {
	seconds := int64(minimum / time.Second)
	switch {
	case ttl <= 0:
		return time.Time{}, limitError(http.StatusBadRequest,
			"Invalid expiration_ttl of %s. Please specify integer greater than 0.", raw)
	case ttl < seconds:
		return time.Time{}, limitError(http.StatusBadRequest,
			"Invalid expiration_ttl of %s. Expiration TTL must be at least %d.", raw, seconds)
	case ttl > maxExpiration-now.Unix():
		return time.Time{}, tooLate("expiration_ttl", raw)
	}
	return time.UnixMilli(now.UnixMilli() + ttl*1000), nil
}

func tooLate(parameter, raw string) error {
	return limitError(http.StatusBadRequest, "Invalid %s of %s. Please specify a time before the year 10000.", parameter, raw)
}
