package trigger

import "time"

// How much is known of what waits for a trigger: names of records only. More is found
// once that has become less.
const (
	maxKnown = 2000 // records, of all keys; a page more at times
	maxLane  = 500  // of one key
)

// lanes are the changes that a trigger has to deliver, as far as they are known: those
// of one key one after the other, in their order, different keys beside each other. The
// caller guards them.
type lanes struct {
	keys  map[string]*lane
	known map[string]bool // names of records
	ready []*lane         // first come, first served
	short []*lane         // that have ended, though there are more in the log
	// cursor is where the page began that was the last one when all before it was known.
	cursor string
}

// lane has the changes of one key.
type lane struct {
	key   string
	names []string // of records; the first one is under way, or waits for its next attempt
	// cut says that there are more in the log, on the page that begins at rest.
	cut  bool
	rest string
}

func newLanes() *lanes { return &lanes{keys: map[string]*lane{}, known: map[string]bool{}} }

func (s *lanes) full() bool  { return len(s.known) >= maxKnown }
func (s *lanes) empty() bool { return len(s.keys) == 0 }

// offer takes a record of a page that begins at cursor. It returns the lane if this is
// its first, which is neither ready nor under way then.
func (s *lanes) offer(name, key, cursor string) *lane {
	l := s.keys[key]
	switch {
	case s.known[name], l != nil && l.cut:
		return nil
	case l != nil && len(l.names) >= maxLane:
		l.cut, l.rest = true, cursor
		return nil
	}
	fresh := l == nil || len(l.names) == 0
	if l == nil {
		l = &lane{key: key}
		s.keys[key] = l
	}
	l.names = append(l.names, name)
	s.known[name] = true
	if fresh {
		return l
	}
	return nil
}

// put makes a lane ready.
func (s *lanes) put(l *lane) { s.ready = append(s.ready, l) }

// take returns the lane that is next, and the record that it begins with; nil if there
// is none.
func (s *lanes) take() (l *lane, name string) {
	if len(s.ready) == 0 {
		return nil, ""
	}
	l = s.ready[0]
	s.ready[0] = nil
	s.ready = s.ready[1:]
	return l, l.names[0]
}

// done forgets the record that a lane begins with.
func (s *lanes) done(l *lane) {
	delete(s.known, l.names[0])
	l.names = l.names[1:]
	switch {
	case len(l.names) > 0:
		s.put(l)
	case l.cut:
		s.short = append(s.short, l)
	default:
		delete(s.keys, l.key)
	}
}

// refill returns a lane that is to be filled from the page at cursor on; until then it
// takes no records.
func (s *lanes) refill() (l *lane, cursor string) {
	if len(s.short) == 0 {
		return nil, ""
	}
	l = s.short[0]
	s.short = s.short[1:]
	l.cut = false
	return l, l.rest
}

// refilled ends a refill that found nothing.
func (s *lanes) refilled(l *lane) {
	if len(l.names) == 0 && !l.cut {
		delete(s.keys, l.key)
	}
}

// kvBackOff is how long after so many attempts a change is tried again: a second, and
// then twice that each time, up to a quarter of an hour.
func kvBackOff(attempts int) time.Duration {
	return min(time.Second<<min(attempts-1, 20), 15*time.Minute)
}
