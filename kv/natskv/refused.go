package natskv

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// ErrRefused: a server is there, and it and this node do not accept each other. Nothing
// but another configuration helps, of which the error tells.
var ErrRefused = errors.New("this node and the NATS server do not accept each other")

// explain adds to an error of a connection what to do about it, if it is known.
func explain(err error) error {
	if advice := adviceFor(err); advice != "" {
		return fmt.Errorf("%w: %w: %s", ErrRefused, err, advice)
	}
	return err
}

func adviceFor(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthRevoked):
		return "give the credentials, the user and password, or the token that the server knows, or the key of the cluster if it is that of a node"
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		return "get new credentials, these have expired"
	case errors.Is(err, nats.ErrPermissionViolation):
		return "let the user publish to $JS.> and mayfly.>, and subscribe to _INBOX.> and mayfly.>"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "the server has no TLS: set that up, or leave out tls here and begin the URL with nats://"
	}
	return adviceOnTLS(err)
}

func adviceOnTLS(err error) string {
	if _, is := errors.AsType[x509.HostnameError](err); is {
		return "the certificate of the server is not for the host in the URL: name that as the certificate does"
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is && invalid.Reason == x509.Expired {
		return "renew the certificate of the server, or set this machine's clock"
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return "the authority that issued the certificate of the server is not known here: give its certificate as tls.ca"
	}
	// What the other side has against a certificate has no type.
	if strings.Contains(err.Error(), "remote error: tls:") {
		return "the server wants a certificate of this node, by an authority that it knows: give one as tls.cert and tls.key"
	}
	if _, is := errors.AsType[tls.RecordHeaderError](err); is {
		return "the server has no TLS: begin the URL with nats://"
	}
	return ""
}
