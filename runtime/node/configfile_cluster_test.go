package node_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/node"
)

func TestClusterConfig(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NATS_USER", "from the environment")
	for _, tt := range []struct {
		name, text string
		want       node.Cluster
	}{
		{"one server", "url = 'nats://127.0.0.1:4222'", node.Cluster{URL: []string{"nats://127.0.0.1:4222"}}},
		{"a user", "url = ['tls://a', 'tls://b:1']\nuser = '${env:NATS_USER}'\npassword = '${file:password}'",
			node.Cluster{URL: []string{"tls://a", "tls://b:1"}, User: "from the environment", Password: "from a file"}},
		{"a token as it is", "url = 'nats://a'\ntoken = '$s3{cr}et'", node.Cluster{URL: []string{"nats://a"}, Token: "$s3{cr}et"}},
		{"offline", "url = 'nats://a'\noffline_writes = ['0f', '1e']", node.Cluster{URL: []string{"nats://a"}, OfflineWrites: []string{"0f", "1e"}}},
		{"alone", "embedded = true", node.Cluster{Embedded: true}},
		{"files beside the file", "embedded = true\nsecret_file = 'key'\n[cluster.tls]\nca = 'ca.pem'\ncert = 'c.pem'\nkey = 'k.pem'",
			node.Cluster{Embedded: true, SecretFile: filepath.Join(dir, "key"),
				TLS: node.ClusterTLS{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem")}}},
		{"by the key of other nodes", "url = 'nats://a'\nsecret_file = 'key'", node.Cluster{URL: []string{"nats://a"}, SecretFile: filepath.Join(dir, "key")}},
		{"by names", "embedded = true\ncluster_listen = ':6222'\npeers = ['a:6222', 'b:6222']",
			node.Cluster{Embedded: true, ClusterListen: ":6222", Peers: []string{"a:6222", "b:6222"}}},
	} {
		cfg, err := node.ParseConfig(filepath.Join(dir, "node.toml"), []byte("[cluster]\n"+tt.text))
		if err != nil || !reflect.DeepEqual(*cfg.Cluster, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, cfg.Cluster, err, tt.want)
		}
	}
}

func TestClusterConfigErrors(t *testing.T) {
	const embedded = "embedded = true\n"
	for text, want := range map[string]string{
		"":                                  `node.toml:1:1: [cluster] has neither "url" nor "embedded = true"; say where the NATS servers are, or run one in each node`,
		"url = 'http://a'":                  `node.toml:2:7: "url" wants a URL such as "nats://10.0.0.1:4222", or a list of them`,
		"url = 'nats://u:p@a'":              `user and password have keys of their own, not "nats://u:p@a"`,
		"url = [1]":                         `node.toml:2:8: entry 1 of "url" wants a URL`,
		"url = 'nats://a'\npeers = ['b:1']": `without "embedded = true"`,
		"url = 'nats://a'\nuser = 'u'\ntoken = 't'":         `more than one of`,
		"url = 'nats://a'\nuser = 'u'\nsecret_file = 'f'":   `more than one of`,
		embedded + "[cluster.tls]\nca = 'a.pem'":            `has "tls" without "cert" and "key"`,
		"url = 'nats://a'\npassword = 'p'":                  `"password" without a "user"`,
		"url = 'nats://a'\ntoken = '${env:MAYFLY_NO_SUCH}'": `node.toml:3:9: "token": the environment has no MAYFLY_NO_SUCH; set it`,
		"url = 'nats://a'\ntoken = '${file:missing}'":       `no such file`,
		"url = 'nats://a'\ntoken = '${vault:x}'":            `"token" wants a text, or "${env:NAME}" or "${file:PATH}"`,
		"url = 'nats://a'\nreplicas = 6":                    `cluster.replicas must be between 1 and 5, not 6`,
		"url = 'nats://a'\noffline_writes = ['a/b']":        `entry 1 of "offline_writes" wants the id of a KV namespace`,
		"name = 'a b'":                     `"name" wants letters, digits`,
		embedded + "url = 'nats://a'":      `keep one of both`,
		embedded + "peers = ['a:1']":       `has "peers" and no "cluster_listen"`,
		embedded + "cluster_listen = ':1'": `has "cluster_listen" and no "peers"`,
		embedded + "peers = ['a']":         `entry 1 of "peers" wants HOST:PORT`,
		embedded + "peers = [':6222']":     `entry 1 of "peers" wants HOST:PORT at which the others reach it`,
		embedded + "cluster_listen = '10.0.0.1:1'\npeers = ['10.0.0.2:1', '10.0.0.3:1']": `node.toml:4:9: [cluster] does not list 10.0.0.1:1, where this node listens, among "peers"`,
		embedded + "cluster_listen = ':1'\npeers = ['a:1']\nlisten = ':1'":               `for both "listen" and "cluster_listen"`,
		embedded + "[cluster.tls]\ncert = 'a.pem'":                                       `a "cert" without a "key"`,
	} {
		_, err := node.ParseConfig("node.toml", []byte("[cluster]\n"+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
