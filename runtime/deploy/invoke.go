package deploy

import "context"

// maxRetries is how often an invocation is tried again at most, which is the default:
// as Lambda does.
const maxRetries = 2

// InvokeConfig says what becomes of asynchronous invocations that fail. The zero
// value, and nil, are the defaults.
type InvokeConfig struct {
	MaxRetries *int        `json:"retries,omitempty"` // 0 to 2; default 2
	Failures   Destination `json:"on_failure,omitzero"`
}

// Destination is where failures go: to a Function of the account, or into a KV
// namespace, by its id. One of both is set, or none.
type Destination struct {
	Function  string `json:"function,omitempty"`
	Namespace string `json:"kv_namespace,omitempty"`
}

// Retries is how often an invocation is tried again.
func (c *InvokeConfig) Retries() int {
	if c == nil || c.MaxRetries == nil {
		return maxRetries
	}
	return *c.MaxRetries
}

// OnFailure is where failures go; the zero value is nowhere.
func (c *InvokeConfig) OnFailure() Destination {
	if c == nil {
		return Destination{}
	}
	return c.Failures
}

// SetInvoke replaces what becomes of a Function's asynchronous invocations.
func (r *Registry) SetInvoke(ctx context.Context, account, name string, c InvokeConfig) (Function, error) {
	if n := c.Retries(); n < 0 || n > maxRetries {
		return Function{}, invalid("retries is %d; 0 to %d are allowed", n, maxRetries)
	}
	return r.update(ctx, account, name, func(s *snapshot, f *Function) error {
		f.Invoke = &c
		return s.checkDestination(*f, c.Failures)
	})
}

// checkDestination refuses what f's failures can't go to.
func (s *snapshot) checkDestination(f Function, to Destination) error {
	switch {
	case to.Function != "" && to.Namespace != "":
		return invalid("on_failure has a function and a kv_namespace; give one of them")
	case to.Function == f.Name && to.Function != "":
		return invalid("on_failure is the Function itself, which has just failed; name another")
	}
	var err error
	if to.Function != "" {
		_, err = s.function(f.Account, to.Function)
	} else if to.Namespace != "" {
		_, err = s.namespace(f.Account, to.Namespace)
	}
	if err != nil {
		return invalid("on_failure: %v", err)
	}
	return nil
}

// MaxRequestBody is the longest body that a Version takes, in bytes.
func (r *Registry) MaxRequestBody(v Version) int64 {
	return v.Settings.Limits.host().Or(r.cfg.Limits).RequestBody
}
