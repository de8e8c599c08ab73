package ratelimit

// Keys is how many keys of an account are kept.
func (l *Limits) Keys(account string) (n int) {
	t := l.accounts[account]
	for i := range t.shards {
		n += len(t.shards[i].counts)
	}
	return n
}
