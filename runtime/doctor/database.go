package doctor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// message is a line of a child's output: one of them is set.
type message struct {
	File   string    `json:"file,omitempty"` // that is damaged
	What   string    `json:"what,omitempty"`
	Bit    bool      `json:"bit,omitempty"`    // see badgerkv.DamageError
	Log    bool      `json:"log,omitempty"`    // as well
	Key    string    `json:"key,omitempty"`    // of an entry that is damaged
	Record *kv.Entry `json:"record,omitempty"` // one of the node's own
	Done   bool      `json:"done,omitempty"`   // the last line
	Number int       `json:"number,omitempty"` // of all entries; with Done
}

// nodeRecords begins the keys of what is the node's own.
const nodeRecords = "node/"

// Child reads the database in dir for Run. It opens it in scratch, which it does not
// remove.
func Child(stdout *os.File, stderr *os.File, args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "this starts a child of mayfly doctor: give two directories")
		return 2
	}
	out := bufio.NewWriter(stdout)
	tell := json.NewEncoder(out)
	number := 0
	err := badgerkv.Examine(context.Background(), args[0], args[1], badgerkv.Examiner{
		File: func(d *badgerkv.DamageError) {
			tell.Encode(message{File: d.File, What: d.What, Bit: d.Bit, Log: d.Log})
		},
		Damaged: func(key string, cause error) { tell.Encode(message{Key: key, What: cause.Error()}) },
		Entry: func(e kv.Entry) error {
			number++
			if !strings.HasPrefix(e.Key, nodeRecords) {
				return nil
			}
			return tell.Encode(message{Record: &e})
		},
	})
	if err == nil {
		err = errors.Join(tell.Encode(message{Done: true, Number: number}), out.Flush())
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// checkDatabase has a child read the database, and looks through what it tells.
func (r *Report) checkDatabase(ctx context.Context, cfg Config, blob func(context.Context, kv.Digest) error) error {
	scratch, err := os.MkdirTemp(string(cfg.Dir), "doctor-")
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	defer os.RemoveAll(scratch)
	records, err := r.runChild(ctx, cfg, scratch)
	if err != nil || records == nil {
		return err
	}
	damaged := map[string]bool{}
	for _, p := range r.Problems {
		damaged[p.Where] = true
	}
	all := func(_ context.Context, do func(kv.Entry) error) error {
		for _, e := range records {
			if err := do(e); err != nil {
				return err
			}
		}
		return nil
	}
	_, err = deploy.Check(ctx, all, blob, func(p deploy.Problem) { r.addRecord(cfg.Dir, p) })
	r.checkToken(cfg.Dir, records)
	r.checkKey(cfg.Dir, records)
	return err
}

// runChild returns the node's records; nil if the database can't be read.
func (r *Report) runChild(ctx context.Context, cfg Config, scratch string) ([]kv.Entry, error) {
	var out, complaints bytes.Buffer
	cmd := cfg.Child(ctx)
	cmd.Args = append(cmd.Args, cfg.Dir.KV(), scratch)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	runErr := cmd.Run()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, exited := errors.AsType[*exec.ExitError](runErr); runErr != nil && !exited {
		return nil, fmt.Errorf("start child: %w", runErr)
	}
	records, done := r.listen(cfg.Dir, &out)
	if !done {
		first, _, _ := strings.Cut(complaints.String(), "\n")
		r.add(Problem{Where: "kv", What: fmt.Sprintf("reading the database ended the process that did it (%v): %.200s", runErr, first),
			Means: "a node would end in the same way", Fix: restoreFix})
		return nil, nil
	}
	return records, nil
}

// listen reads what a child has told, up to where it ended.
func (r *Report) listen(dir datadir.Dir, out *bytes.Buffer) (records []kv.Entry, done bool) {
	records = []kv.Entry{}
	for d := json.NewDecoder(out); ; {
		var m message
		if err := d.Decode(&m); err != nil {
			return records, false
		}
		switch {
		case m.Done:
			r.Entries = m.Number
			return records, true
		case m.Record != nil:
			records = append(records, *m.Record)
		case m.File != "":
			r.addFile(m)
		default:
			r.addRecord(dir, deploy.Unreadable(m.Key, m.What))
		}
	}
}

func (r *Report) addFile(m message) {
	p := Problem{Where: filepath.Join("kv", m.File), What: m.What, Fix: restoreFix,
		Means: "the node refuses to start: keys may be missing, or have values that were overwritten"}
	switch {
	case filepath.Ext(m.File) == ".vlog":
		p.Means = "reading the large values that are in the damaged place is an error; when space is reclaimed, those behind it may be lost too"
	case m.Log:
		p.Means = "the node refuses to start: the last writes before it ended, from there on, can't be read, acknowledged ones too"
		p.Fix += "; or give those writes up: mayfly doctor --accept-loss"
		p.log = m.File
	}
	if m.Bit {
		p.Fix = "a bit was flipped; mayfly doctor --repair puts it back, and nothing is lost"
	}
	r.add(p)
}

func (r *Report) addRecord(dir datadir.Dir, p deploy.Problem) {
	problem := Problem{Where: p.Record, What: p.What, Means: p.Means, Fix: p.Fix}
	if p.Remade {
		problem.record = p.Record
		if d, err := kv.ParseDigest(p.Blob); err == nil {
			problem.remove = filepath.Join(dir.Blobs(), p.Blob[:2], d.String())
		}
	}
	r.add(problem)
}

// checkKey looks for the key of the secrets, if there are any.
func (r *Report) checkKey(dir datadir.Dir, records []kv.Entry) {
	_, err := os.Stat(dir.KEK())
	sealed := func(e kv.Entry) bool { return strings.HasPrefix(e.Key, deploy.KeyRecords) }
	r.NoKey = errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(records, sealed)
}

// checkToken compares the file of the admin token with the records.
func (r *Report) checkToken(dir datadir.Dir, records []kv.Entry) {
	text, err := os.ReadFile(dir.AdminToken())
	if err != nil {
		return // made when the node starts
	}
	if !deploy.KnownAdminToken(strings.TrimSpace(string(text)), records) {
		r.add(Problem{Where: "admin.token", What: "it holds no token that the node knows", Means: "the node makes another one, and revokes the one before", Fix: "just start the node"})
	}
}
