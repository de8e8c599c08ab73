// Package sdk_test drives a node by Cloudflare's own Go SDK, with nothing changed
// but the base URL. It is a module of its own so that Mayfly does not depend on
// the SDK.
package sdk_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	cloudflare "github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// account is the one that every node has.
const account = "local"

// node is a node that runs for one test.
type node struct{ api, token string }

func TestSDK(t *testing.T) {
	binary := mustBuild(t)
	for name, test := range map[string]func(*testing.T, node){
		"Namespaces": testNamespaces, "Values": testValues, "Bulk": testBulk,
		"Scripts": testScripts, "Secrets": testSecrets, "Tokens": testTokens, "Queues": testQueues, "Messages": testMessages,
	} {
		t.Run(name, func(t *testing.T) { test(t, mustServe(t, binary)) })
	}
}

func mustBuild(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "mayfly")
	build := exec.Command("go", "build", "-o", binary, "./cli/mayfly")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mayfly: %v: %s", err, out)
	}
	return binary
}

// mustServe starts a node and stops it at the end of the test.
func mustServe(t *testing.T, binary string) node {
	t.Helper()
	data := t.TempDir()
	cmd := exec.Command(binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the node ended with %v", err)
		}
	})
	ready, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read the line that says ready: %v", err)
	}
	var web, admin string
	if _, err := fmt.Sscanf(ready, "ready http=%s admin=%s", &web, &admin); err != nil {
		t.Fatalf("%q: %v", ready, err)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return node{"http://" + admin + "/client/v4", strings.TrimSpace(string(token))}
}

// client is the SDK's for a token.
func (n node) client(token string) *cloudflare.Client {
	return cloudflare.NewClient(option.WithBaseURL(n.api), option.WithAPIToken(token), option.WithMaxRetries(0))
}
