package torture_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/porttest"
)

// natsProgram builds nats-server, once, of the module that nodes embed.
var natsProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mayfly-torture-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "nats-server")
	if text, err := exec.Command("go", "build", "-o", file, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build nats-server: %w\n%s", err, text)
	}
	return file, nil
})

// natsServer is one in a process of its own.
type natsServer struct {
	dir, client, monitor string
	cmd                  *exec.Cmd
	log                  *os.File
	tracer               []string // runs the program, if there is one
}

// slowDisk makes each sync of a file take 50 ms longer. The program stays the process
// that was started (-D), so that it can be killed.
var slowDisk = []string{"strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=50000"}

// mustNATS starts servers that are one cluster, as durable as they can be. Their ports
// may be taken by others before they are: then they get others.
func mustNATS(t *testing.T, n int) []*natsServer {
	t.Helper()
	for range 3 {
		list := startNATS(t, n)
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if leads(list) {
				return list
			}
		}
		for i, s := range list {
			s.kill()
			t.Logf("NATS server %d did not find a leader: %s", i, readFile(filepath.Join(s.dir, "log")))
		}
	}
	t.Fatal("the NATS servers don't begin")
	return nil
}

// leads reports whether all servers know of a leader.
func leads(list []*natsServer) bool {
	for _, s := range list {
		var jsz struct {
			Meta struct{ Leader string } `json:"meta_cluster"`
		}
		resp, err := http.Get(s.monitor + "/jsz")
		if err != nil {
			return false
		}
		err = json.NewDecoder(resp.Body).Decode(&jsz)
		resp.Body.Close()
		if err != nil || jsz.Meta.Leader == "" {
			return false
		}
	}
	return true
}

func startNATS(t *testing.T, n int) []*natsServer {
	t.Helper()
	ports := porttest.Addresses(t, 3*n)
	var routes []string
	for i := range n {
		routes = append(routes, "nats://"+ports[3*i])
	}
	list := make([]*natsServer, n)
	for i := range list {
		s := &natsServer{dir: t.TempDir(), client: ports[3*i+1], monitor: "http://" + ports[3*i+2]}
		config := fmt.Sprintf("server_name: s%d\nlisten: %s\nhttp: %s\njetstream { store_dir: %q, sync_interval: always }\n"+
			"cluster { name: torture, listen: %s, no_advertise: true, routes: [%s] }\n",
			i, s.client, ports[3*i+2], s.dir, ports[3*i], strings.Join(routes, ", "))
		if err := os.WriteFile(filepath.Join(s.dir, "server.conf"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.start(t)
		t.Cleanup(s.kill)
		list[i] = s
	}
	return list
}

func (s *natsServer) start(t *testing.T) {
	t.Helper()
	file, err := natsProgram()
	if err != nil {
		t.Fatal(err)
	}
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	command := append(slices.Clone(s.tracer), file, "-c", filepath.Join(s.dir, "server.conf"))
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Stderr, s.cmd.Stdout = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends it without notice. It may be gone already, or stopped.
func (s *natsServer) kill() {
	s.cmd.Process.Kill() //nolint:errcheck // gone is gone
	s.cmd.Wait()         //nolint:errcheck // it was killed
	s.log.Close()
}

// restart kills it, and starts it by a tracer or, if that is nil, by itself.
func (s *natsServer) restart(t *testing.T, tracer []string) {
	t.Helper()
	s.kill()
	s.tracer = tracer
	s.start(t)
}

func (s *natsServer) stop() { s.cmd.Process.Signal(syscall.SIGSTOP) } //nolint:errcheck // seen by what follows
func (s *natsServer) cont() { s.cmd.Process.Signal(syscall.SIGCONT) } //nolint:errcheck // the same

// link is the network between a node and a NATS server.
type link struct {
	ln net.Listener
	to string

	mu    sync.Mutex // guards what follows
	cut   bool
	conns map[net.Conn]bool
}

func mustLink(t *testing.T, to string) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{ln: ln, to: to, conns: map[net.Conn]bool{}}
	var accepting sync.WaitGroup
	accepting.Go(l.accept)
	t.Cleanup(func() {
		ln.Close()
		l.set(true)
		accepting.Wait()
	})
	return l
}

func (l *link) url() string { return "nats://" + l.ln.Addr().String() }

// set cuts the link, or mends it. What is under way is lost, and its ends learn of it.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		if cut {
			c.Close()
		}
	}
}

func (l *link) accept() {
	var copying sync.WaitGroup
	defer copying.Wait()
	for {
		from, err := l.ln.Accept()
		if err != nil {
			return
		}
		copying.Go(func() { l.carry(from) })
	}
}

func (l *link) carry(from net.Conn) {
	defer from.Close()
	to, err := net.DialTimeout("tcp", l.to, time.Second)
	if err != nil {
		return
	}
	defer to.Close()
	l.mu.Lock()
	cut := l.cut
	l.conns[from], l.conns[to] = true, true
	l.mu.Unlock()
	if cut {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(from, to) //nolint:errcheck // it ends when either end does
		from.Close()
	})
	io.Copy(to, from) //nolint:errcheck // the same
	to.Close()
	back.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, from)
	delete(l.conns, to)
}
