package deploy

// Invoke says what becomes of payloads for later that fail; see InvokeConfig.
type Invoke struct {
	Retries   *int64      `json:"retries,omitempty"` // nil: the default
	OnFailure Destination `json:"on_failure,omitzero"`
}

func (d *decoder) invoke(v *Invoke) fields {
	return fields{
		"retries": func(it item) {
			v.Retries = new(int64)
			d.IntegerTo(v.Retries, 0, maxRetries)(it)
		},
		"on_failure": d.destination(&v.OnFailure),
	}
}

func (d *decoder) destination(to *Destination) func(item) {
	return func(it item) {
		d.Table(it, fields{"function": d.TextTo(&to.Function), "kv_namespace": d.TextTo(&to.Namespace)})
		d.OneOf(it, "function", "kv_namespace")
	}
}
