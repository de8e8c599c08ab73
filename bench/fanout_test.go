package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/fanout"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// costs are of machines as one rents them. BenchmarkDelivery measures Deliver, and
// BenchmarkJoin in kv/natskv Apply.
var costs = fanout.Costs{
	Link:    1.25e9 / 2, // half of 10 Gbit/s
	Deliver: 8 * time.Microsecond,
	Apply:   20 * time.Microsecond,
	Trip:    500 * time.Microsecond,
	Region:  40 * time.Millisecond,
}

// BenchmarkFanOut is a simulation: what writes, deploys and beginning nodes do to a
// cluster of up to 1,000 nodes with a million keys.
func BenchmarkFanOut(b *testing.B) {
	for _, nodes := range []int{3, 100, 1000} {
		for _, regions := range []int{0, 20} {
			for _, writes := range []float64{10, 100, 300, 1000} {
				if regions > nodes {
					continue
				}
				b.Run(fmt.Sprintf("nodes=%d/mirrors=%d/writes=%g", nodes, regions, writes), func(b *testing.B) {
					m := fanout.Model{Nodes: nodes, Servers: 3, Regions: regions, Writes: writes, Entry: 500, Keys: 1e6,
						Module: 6 << 20, Compile: time.Second, Costs: costs}
					var r fanout.Result
					for b.Loop() {
						r = m.Run(2000, 1)
					}
					reportFanOut(b, r)
				})
			}
		}
	}
}

func reportFanOut(b *testing.B, r fanout.Result) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(r.P50), "p50-ms")
	b.ReportMetric(ms(r.P99), "p99-ms")
	b.ReportMetric(r.Load, "load")
	b.ReportMetric(r.MostWrites, "most-writes/s")
	b.ReportMetric(r.Egress/1e6, "out-MB/s")
	b.ReportMetric(r.Join.Seconds(), "join-s")
	b.ReportMetric(r.JoinAll.Seconds(), "join-all-s")
	b.ReportMetric(r.DeployWorst.Seconds(), "deploy-s")
}

// BenchmarkDelivery is what a NATS server's processor spends on a message to each of
// its consumers: what a write costs beyond that is not counted.
func BenchmarkDelivery(b *testing.B) {
	s := startNATS(b)
	for _, consumers := range []int{10, 100, 300} {
		b.Run(fmt.Sprintf("consumers=%d", consumers), func(b *testing.B) {
			alone := s.cost(b, 0, b.N)
			together := s.cost(b, consumers, b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64((together-alone).Nanoseconds())/float64(b.N*consumers)/1000, "server-us/delivery")
		})
	}
}

// natsServer is a NATS server in a process of its own.
type natsServer struct {
	url string
	pid int
}

func startNATS(b *testing.B) *natsServer {
	b.Helper()
	dir := b.TempDir()
	program, ports := filepath.Join(dir, "nats-server"), filepath.Join(dir, "ports")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(ports, 0o700); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", dir, "--ports_file_dir", ports)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it has ended already
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	return &natsServer{pid: cmd.Process.Pid, url: mustURL(b, ports)}
}

func mustURL(b *testing.B, ports string) string {
	b.Helper()
	for range 600 {
		files, _ := filepath.Glob(filepath.Join(ports, "*.ports"))
		if len(files) == 1 {
			if text, _ := os.ReadFile(files[0]); strings.Contains(string(text), "nats://") {
				_, rest, _ := strings.Cut(string(text), "nats://")
				address, _, _ := strings.Cut(rest, `"`)
				return "nats://" + address
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatal("the NATS server does not start")
	return ""
}

// spent is the processor time of the server; Linux counts it in hundredths of a second.
func (s *natsServer) spent(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Skip("this needs Linux")
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// cost is the server's processor time for so many messages, which each consumer gets.
func (s *natsServer) cost(b *testing.B, consumers, messages int) time.Duration {
	b.Helper()
	nc, err := nats.Connect(s.url)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "fanout", Subjects: []string{"fanout.>"}, MaxMsgsPerSubject: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer js.DeleteStream(ctx, "fanout") //nolint:errcheck // the server ends
	var got atomic.Int64
	var following sync.WaitGroup
	for range consumers {
		following.Go(func() { s.follow(b, messages, &got) })
	}
	defer following.Wait()
	for n := 0; n < consumers; time.Sleep(10 * time.Millisecond) {
		info, err := stream.Info(ctx)
		if err != nil {
			b.Fatal(err)
		}
		n = info.State.Consumers
	}
	before := s.spent(b)
	entry := make([]byte, 300)
	for i := range messages {
		if _, err := js.Publish(ctx, "fanout."+strconv.Itoa(i), entry); err != nil {
			b.Fatal(err)
		}
	}
	for got.Load() < int64(messages*consumers) {
		time.Sleep(time.Millisecond)
	}
	return s.spent(b) - before
}

// follow is one consumer, on a connection of its own, as each node has.
func (s *natsServer) follow(b *testing.B, messages int, got *atomic.Int64) {
	nc, err := nats.Connect(s.url)
	if err != nil {
		b.Error(err)
		return
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Error(err)
		return
	}
	consumer, err := js.CreateConsumer(context.Background(), "fanout", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1})
	if err != nil {
		b.Error(err)
		return
	}
	list, err := consumer.Messages()
	if err != nil {
		b.Error(err)
		return
	}
	defer list.Stop()
	for range messages {
		if _, err := list.Next(); err != nil {
			b.Error(err)
			return
		}
		got.Add(1)
	}
}

// BenchmarkServerMemory is what a NATS server keeps in memory for each key: run it with
// a fixed count, such as -benchtime 1000000x.
func BenchmarkServerMemory(b *testing.B) {
	s := startNATS(b)
	nc, err := nats.Connect(s.url)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "keys", Subjects: []string{"keys.>"}, MaxMsgsPerSubject: 1}); err != nil {
		b.Fatal(err)
	}
	before := s.resident(b)
	entry := make([]byte, 300)
	for i := range b.N {
		if _, err := js.PublishAsync(fmt.Sprintf("keys.namespace-0123456789.%08d", i), entry); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(s.resident(b)-before)/float64(b.N), "server-B/key")
}

// resident is the server's memory in bytes.
func (s *natsServer) resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	if err != nil {
		b.Skip("this needs Linux")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
