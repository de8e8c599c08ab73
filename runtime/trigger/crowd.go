package trigger

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// crowd is all connections of a front end, whichever listener they came by. Where
// there are too many, those that were idle for longest make room.
type crowd struct {
	// most there may be, and from one address; 0 is as many as it likes.
	most, mostOfAddress int

	making  sync.Mutex // held by newcomers, so that none takes the room that is made for another; before mu
	mu      sync.Mutex // guards what follows
	open    map[member]struct{}
	address map[netip.Addr]int
}

// member is a connection that can be given up while it is idle.
type member interface {
	// idleFrom is since when it has been, in nanoseconds, or not above 0 if it is not.
	idleFrom() int64
	// giveUp closes it if it has been idle since then.
	giveUp(since int64)
}

func newCrowd(most, mostOfAddress int) *crowd {
	return &crowd{most: most, mostOfAddress: mostOfAddress, open: map[member]struct{}{}, address: map[netip.Addr]int{}}
}

// seat is the place of a connection in a crowd. It is used by one goroutine at a
// time, but for leave.
type seat struct {
	crowd *crowd
	addr  netip.Addr

	// Guarded by crowd.mu:
	member member
	taken  bool
}

// newSeat is for a connection that may be taken, which leaves it when it is closed.
func (c *crowd) newSeat(m member) *seat { return &seat{crowd: c, member: m} }

// take counts the connection, or says why not.
func (s *seat) take(nc net.Conn) (refusal string) {
	c := s.crowd
	if c.mostOfAddress > 0 {
		if s.addr = addrOf(nc); !c.enter(s.addr) {
			return tooManyOfAddress
		}
	}
	if !c.add(s) {
		c.exit(s.addr)
		return tooMany
	}
	return ""
}

func (c *crowd) enter(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.address[addr] >= c.mostOfAddress {
		return false
	}
	c.address[addr]++
	return true
}

func (c *crowd) exit(addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mostOfAddress == 0 {
		return
	}
	if c.address[addr]--; c.address[addr] == 0 {
		delete(c.address, addr)
	}
}

// add makes room for a connection if there is none.
func (c *crowd) add(s *seat) bool {
	c.making.Lock()
	defer c.making.Unlock()
	if c.sit(s) {
		return true
	}
	c.mu.Lock()
	idle := c.longestIdle()
	c.mu.Unlock()
	for _, i := range idle {
		i.member.giveUp(i.since)
	}
	return c.sit(s)
}

// sit takes a seat if there is room.
func (c *crowd) sit(s *seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full() {
		return false
	}
	c.open[s.member] = struct{}{}
	s.taken = true
	return true
}

// full needs c.mu.
func (c *crowd) full() bool { return c.most > 0 && len(c.open) >= c.most }

type idleMember struct {
	member member
	since  int64
}

// longestIdle are those that make room, several at once, so that not every newcomer
// has to look at all. It needs c.mu.
func (c *crowd) longestIdle() []idleMember {
	var idle []idleMember
	for m := range c.open {
		if since := m.idleFrom(); since > 0 {
			idle = append(idle, idleMember{m, since})
		}
	}
	slices.SortFunc(idle, func(a, b idleMember) int { return cmp.Compare(a.since, b.since) })
	return idle[:min(len(idle), 1+c.most/64)]
}

// pass gives the seat to what the connection became.
func (s *seat) pass(m member) {
	s.crowd.mu.Lock()
	defer s.crowd.mu.Unlock()
	delete(s.crowd.open, s.member)
	s.crowd.open[m] = struct{}{}
	s.member = m
}

// leave gives it back, if it was taken.
func (s *seat) leave() {
	s.crowd.mu.Lock()
	taken := s.taken
	s.taken = false
	delete(s.crowd.open, s.member)
	s.crowd.mu.Unlock()
	if taken {
		s.crowd.exit(s.addr)
	}
}

// addrOf is the zero Addr where a connection is not TCP.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
