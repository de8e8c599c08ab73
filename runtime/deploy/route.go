package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/router"
)

// Route is one pattern whose requests the Function asks for.
type Route struct {
	Pattern router.Pattern `json:"pattern"`
	// CustomDomain: the pattern is a whole host, and was given as such.
	CustomDomain bool `json:"custom_domain,omitempty"`
	// Disabled: requests that match are answered by nobody, although the Function
	// holds the pattern.
	Disabled bool `json:"disabled,omitempty"`
}

// DomainRoute is the Route for a custom domain: a host without port, path and
// wildcard.
func DomainRoute(host string, disabled bool) (Route, error) {
	if strings.ContainsAny(host, "/*") {
		return Route{}, invalid("a custom domain is a host without path and wildcards, not %q", host)
	}
	name, err := router.ParseHost(host)
	if err != nil {
		return Route{}, invalid("%v", err)
	}
	return Route{mustPattern(name + "/*"), true, disabled}, nil
}

// Host is the one that the Route names, after its "*" if there is one.
func (r Route) Host() string {
	name, _ := r.Pattern.Host()
	return name
}

// ID is how an account's API calls a Route: 32 hexadecimal digits, which are those of
// the same pattern ever after.
func (r Route) ID() string {
	sum := sha256.Sum256([]byte(r.Pattern.String()))
	return hex.EncodeToString(sum[:16])
}
