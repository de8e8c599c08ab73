// Package fanout reckons what a cluster costs that is larger than any we can start:
// what each write to the shared store, each deploy and each node that begins sends
// through the NATS servers and to the nodes. Start reading at Model.
package fanout

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Model is a cluster. Nodes follow one stream of entries, each by a consumer of its
// own; servers deliver one message after another, and nodes apply them so.
type Model struct {
	Nodes int
	// Servers hold the stream, and share the consumers evenly.
	Servers int
	// Regions have a mirror of the stream each, which the nodes there follow in place
	// of the servers; 0: there are none.
	Regions int
	Writes  float64 // per second, at random times
	Entry   int     // bytes of one on the wire
	Keys    int
	Module  int           // bytes of a Version
	Compile time.Duration // of a Version, on each node
	Costs
}

// Costs are those of the machines.
type Costs struct {
	Link    float64       // bytes per second that leave a server or a mirror
	Deliver time.Duration // of a server, for each message to each consumer
	Apply   time.Duration // of a node, for each entry
	Trip    time.Duration // one way from a server to a node
	Region  time.Duration // one way from a server to a mirror, and from there Trip
}

// Result says how a Model does.
type Result struct {
	// P50, P99 and Worst are from the acknowledgement of a write until a node has it,
	// over all writes and nodes; zero if Load is 1 or more, when there is no end.
	P50, P99, Worst time.Duration
	Load            float64       // of the busiest server or mirror; from 1 on it falls behind
	MostWrites      float64       // per second, at which Load is 1
	Egress          float64       // bytes per second of the busiest server or mirror
	Ingress         float64       // bytes per second of a node
	Join            time.Duration // of one node, until it has all keys
	JoinAll         time.Duration // of all nodes at once
	// DeployP50 and DeployWorst are until nodes serve a Version that all of them fetch
	// and compile at once.
	DeployP50, DeployWorst time.Duration
}

// each is what one delivery takes of the server.
func (m *Model) each() time.Duration {
	return max(m.Deliver, seconds(float64(m.Entry)/m.Link))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// followers is how many consumers the busiest sender of a tier has.
func followers(all, senders int) int { return (all + senders - 1) / senders }

// Run reckons all of the Model; writes is how many are simulated. The same seed
// gives the same Result.
func (m *Model) Run(writes int, seed uint64) Result {
	var r Result
	busiest := followers(m.Nodes, m.Servers)
	if m.Regions > 0 {
		busiest = max(followers(m.Regions, m.Servers), followers(m.Nodes, m.Regions))
	}
	perWrite := time.Duration(busiest) * m.each()
	r.MostWrites = min(1/perWrite.Seconds(), 1/m.Apply.Seconds())
	r.Load = m.Writes / r.MostWrites
	r.Egress = float64(busiest*m.Entry) * m.Writes
	r.Ingress = float64(m.Entry) * m.Writes
	if r.Load < 1 {
		r.P50, r.P99, r.Worst = summary(m.propagation(writes, seed))
	}
	r.Join = max(time.Duration(m.Keys)*m.Apply, time.Duration(m.Keys)*m.each())
	r.JoinAll = max(time.Duration(m.Keys)*m.Apply, time.Duration(m.Keys*busiest)*m.each())
	r.DeployP50, _, r.DeployWorst = summary(m.deploy())
	return r
}

// propagation is how long each write takes to each follower of one server. Those of
// the others take as long: they have no more followers.
func (m *Model) propagation(writes int, seed uint64) []time.Duration {
	arrivals := m.arrivals(writes, seed)
	if m.Regions == 0 {
		return m.followed(arrivals, arrivals, followers(m.Nodes, m.Servers), m.Trip)
	}
	var list []time.Duration
	for _, atMirror := range m.mirrored(arrivals) {
		list = append(list, m.followed(arrivals, atMirror, followers(m.Nodes, m.Regions), m.Trip)...)
	}
	return list
}

func (m *Model) arrivals(writes int, seed uint64) []time.Duration {
	random := rand.New(rand.NewPCG(seed, 0))
	list := make([]time.Duration, writes)
	var now time.Duration
	for i := range list {
		now += seconds(random.ExpFloat64() / m.Writes)
		list[i] = now
	}
	return list
}

// mirrored is when each mirror of the busiest server has each write.
func (m *Model) mirrored(arrivals []time.Duration) [][]time.Duration {
	mirrors := make([][]time.Duration, followers(m.Regions, m.Servers))
	var free time.Duration
	for _, at := range arrivals {
		free = max(free, at)
		for i := range mirrors {
			free += m.each()
			mirrors[i] = append(mirrors[i], free+m.Region)
		}
	}
	return mirrors
}

// followed is how long after written each write is applied by each of n followers of
// a sender, which has the writes at their arrivals.
func (m *Model) followed(written, arrivals []time.Duration, n int, trip time.Duration) []time.Duration {
	list := make([]time.Duration, 0, n*len(written))
	applied := make([]time.Duration, n) // when each follower is free again
	var free time.Duration
	for i, at := range arrivals {
		free = max(free, at)
		for k := range applied {
			free += m.each()
			applied[k] = max(applied[k], free+trip) + m.Apply
			list = append(list, applied[k]-written[i])
		}
	}
	return list
}

// deploy is when each node of the busiest sender serves a Version: they get its
// module side by side, so that all have it when the last byte has left.
func (m *Model) deploy() []time.Duration {
	senders, lag := m.Servers, m.Trip
	if m.Regions > 0 {
		senders = m.Regions
		lag += m.Region + seconds(float64(followers(m.Regions, m.Servers)*m.Module)/m.Link)
	}
	n := followers(m.Nodes, senders)
	list := make([]time.Duration, n)
	for k := range list {
		list[k] = lag + seconds(float64((k+1)*m.Module)/m.Link) + m.Compile
	}
	return list
}

func summary(list []time.Duration) (p50, p99, worst time.Duration) {
	slices.Sort(list)
	return list[len(list)/2], list[len(list)*99/100], list[len(list)-1]
}
