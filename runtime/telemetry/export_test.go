package telemetry

// RedactURL is what shown URLs go through.
func RedactURL(url string) string { return redactURL(url) }

// Crash ends a Ledger as the end of its process does.
func (l *Ledger) Crash() {
	l.stop()
	l.done.Wait()
}

// Versions is how many are looked at.
func (o *Observer) Versions() int { return len(o.serving()) }
