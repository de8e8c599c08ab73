package telemetry

// RedactURL is what shown URLs go through.
func RedactURL(url string) string { return redactURL(url) }
