package examples_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// await asks until an answer contains a text.
func (n *node) await(t *testing.T, url, path, want string) {
	t.Helper()
	got := ""
	for start := time.Now(); !strings.Contains(got, want); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 3*time.Minute {
			t.Fatalf("GET %s answers %s, want %s", path, got, want)
		}
		got = n.ask(t, url, exchange{"GET", path, "", 200, nil})
	}
}

// followPages changes pages, and waits until the index has heard of it.
func followPages(t *testing.T, n *node) {
	url := n.url("worker-index")
	n.ask(t, url, exchange{"PUT", "/tea", "All about tea\nIt is hot.", 204, nil})
	n.ask(t, url, exchange{"PUT", "/milk", "Milk", 204, nil})
	n.ask(t, url, exchange{"GET", "/tea", "", 200, []string{"It is hot."}})
	n.await(t, url, "/", `{"milk":"Milk","tea":"All about tea"}`)
	n.ask(t, url, exchange{"PUT", "/milk", "Oat milk", 204, nil})
	n.ask(t, url, exchange{"DELETE", "/tea", "", 204, nil})
	n.await(t, url, "/", `{"milk":"Oat milk"}`)
}

// sendMails has one mail sent, and one given up.
func sendMails(t *testing.T, n *node) {
	url := n.url("worker-mailer")
	send := func(to string) string {
		var sent struct{ ID string }
		answer := n.ask(t, url, exchange{"POST", "/mails", `{"to":"` + to + `","text":"Hello"}`, 202, nil})
		if err := json.Unmarshal([]byte(answer), &sent); err != nil || sent.ID == "" {
			t.Fatalf("got %s, %v", answer, err)
		}
		return sent.ID
	}
	good, bad := send("ada@example.com"), send("bob@down.example")
	n.await(t, url, "/"+good, `{"state":"sent","attempts":1}`)
	n.await(t, url, "/"+bad, `{"state":"failed"}`)
}

// countWords has two texts counted.
func countWords(t *testing.T, n *node) {
	url := n.url("wordcount")
	for range 2 {
		n.ask(t, url, exchange{"POST", "/", "Tea and milk, and tea.", 202, nil})
	}
	n.await(t, url, "/tea", "4\n")
	n.await(t, url, "/milk", "2\n")
}
