package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Config says how to start servers.
type Config struct {
	Dir string // for what a server keeps; one for each
	// OneProcessor lets a server written in Go use one processor at a time, like
	// workerd, which runs a Worker on one thread.
	OneProcessor bool
}

func (c Config) apply(p *Process) {
	if c.OneProcessor {
		p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
}

// Bare starts the server of package bare.
func Bare(ctx context.Context, program string, cfg Config) (*Process, error) {
	p := command(ctx, cfg.Dir, program)
	cfg.apply(p)
	err := p.start(p.stdout, func(line string) bool {
		address, ok := field(line, "http")
		p.URL = "http://" + address + "/"
		return ok
	})
	return p, err
}

// Mayfly starts a node and deploys a module on it.
func Mayfly(ctx context.Context, program, module string, cfg Config) (*Process, error) {
	data := filepath.Join(cfg.Dir, "data")
	p := command(ctx, cfg.Dir, program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	cfg.apply(p)
	var admin string
	err := p.start(p.stdout, func(line string) (ok bool) {
		admin, ok = field(line, "admin")
		return ok
	})
	if err != nil {
		return nil, err
	}
	if p.URL, err = deploy(ctx, program, data, admin, module); err != nil {
		p.Close()
		return nil, p.explain(err)
	}
	return p, nil
}

func deploy(ctx context.Context, program, data, admin, module string) (string, error) {
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		return "", fmt.Errorf("deploy: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "deploy", module, "--api", "http://"+admin+"/client/v4")
	cmd.Env = append(os.Environ(), "MAYFLY_API_TOKEN="+strings.TrimSpace(string(token)), "CLOUDFLARE_ACCOUNT_ID=")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("deploy: %w\n%s", err, &problem)
	}
	return strings.TrimSpace(string(out)) + "/", nil
}

// Workerd starts workerd with a configuration that has a socket named http.
func Workerd(ctx context.Context, program, config string, cfg Config) (*Process, error) {
	p := command(ctx, cfg.Dir, program, "serve", config, "--socket-addr=http=127.0.0.1:0", "--control-fd=3")
	err := p.start(func(w *os.File) { p.cmd.ExtraFiles = []*os.File{w} }, func(line string) bool {
		var event struct {
			Event, Socket string
			Port          int
		}
		if json.Unmarshal([]byte(line), &event) != nil || event.Event != "listen" || event.Socket != "http" {
			return false
		}
		p.URL = fmt.Sprintf("http://127.0.0.1:%d/", event.Port)
		return true
	})
	return p, err
}

func (p *Process) stdout(w *os.File) { p.cmd.Stdout = w }

// field finds "name=value" in a line that begins with "ready".
func field(line, name string) (string, bool) {
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "ready" {
		return "", false
	}
	for _, f := range fields[1:] {
		if value, ok := strings.CutPrefix(f, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
