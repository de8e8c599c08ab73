package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// keyPlace is where a key may be, the best place first. What encrypts secrets at
// rest is called the key-encryption key, KEK, in all of them.
type keyPlace struct {
	credential string // of systemd: a file in $CREDENTIALS_DIRECTORY
	variable   string // of the environment
	file       string // that the configuration names
}

func (c *Config) keyPlace() keyPlace {
	return keyPlace{"mayfly.kek", "MAYFLY_KEK", c.KEKFile}
}

func (c *Config) previousKeyPlace() keyPlace {
	return keyPlace{"mayfly.kek.previous", "MAYFLY_KEK_PREVIOUS", c.PreviousKEKFile}
}

// read returns the key at the first place that has one; a zero one if none has.
func (p keyPlace) read() (secret.Key, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		k, err := ReadKey(filepath.Join(dir, p.credential))
		if !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	if text := os.Getenv(p.variable); text != "" {
		k, err := secret.ParseKey([]byte(text))
		if err != nil {
			return k, fmt.Errorf("read key: %s is %w", p.variable, err)
		}
		return k, nil
	}
	if p.file == "" {
		return secret.Key{}, nil
	}
	return ReadKey(p.file)
}

// maxKeyFile is more than any file with a key has, in bytes.
const maxKeyFile = 4096

// ReadKey reads a file that nobody but its owner may change, and no stranger may
// read.
func ReadKey(file string) (secret.Key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return secret.Key{}, fmt.Errorf("read key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return secret.Key{}, fmt.Errorf("read key: %s has mode %04o and so is open to others; chmod 400 it, and take another key if they may have read it", file, mode)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return secret.Key{}, fmt.Errorf("read key: %s is %w", file, secret.ErrNotAKey)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return secret.Key{}, fmt.Errorf("read key: %w", err)
	}
	k, err := secret.ParseKey(data)
	if err != nil {
		return k, fmt.Errorf("read key: %s is %w", file, err)
	}
	return k, nil
}

// openKeyring opens what seals the secrets in a store.
func (n *Node) openKeyring(ctx context.Context, store kv.Store) (*secret.Keyring, error) {
	cfg := secret.Config{Store: kv.Sub(store, deploy.KeyRecords), Logger: n.cfg.Logger}
	var err error
	if cfg.Key, err = n.cfg.keyPlace().read(); err != nil {
		return nil, err
	}
	if cfg.Previous, err = n.cfg.previousKeyPlace().read(); err != nil {
		return nil, err
	}
	own := n.dir().KEK()
	given := !cfg.Key.IsZero()
	if given && cfg.Previous.IsZero() {
		cfg.Previous, err = ownKey(own)
	} else if !given {
		cfg.Key, err = n.keepOwnKey(ctx, store, own)
	}
	if err != nil {
		return nil, err
	}
	if err := n.joinByKey(ctx, store, cfg.Key, cfg.Previous); err != nil {
		return nil, err
	}
	keyring, err := secret.Open(ctx, cfg)
	if _, wrong := errors.AsType[*secret.WrongKeyError](err); wrong {
		err = fmt.Errorf("%w. A key is the systemd credential mayfly.kek, MAYFLY_KEK, or what kek_file names; the previous one is mayfly.kek.previous, MAYFLY_KEK_PREVIOUS, or what kek_previous_file names", err)
	}
	if err == nil && given && exists(own) {
		n.cfg.Logger.Warn("secrets are under the key that was given; delete the one beside the data, which is not needed any more", "file", own)
	}
	return keyring, err
}

// ownKey reads the node's own key, if there is one.
func ownKey(file string) (secret.Key, error) {
	if !exists(file) {
		return secret.Key{}, nil
	}
	return ReadKey(file)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// keepOwnKey reads the node's own key, which it makes before the first secret.
func (n *Node) keepOwnKey(ctx context.Context, store kv.Store, file string) (secret.Key, error) {
	k, err := ReadKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := n.mayMakeKey(ctx, store); err != nil {
		return k, err
	}
	if needed, err := secret.Exist(ctx, kv.Sub(store, deploy.KeyRecords)); err != nil || needed {
		return k, errors.Join(err, fmt.Errorf("there are secrets, and no key to open them: put %s back, or give the key as the systemd credential mayfly.kek, in MAYFLY_KEK, or in the file that kek_file names", file))
	}
	k = secret.NewKey()
	if err := writeKey(file, k); err != nil {
		return k, fmt.Errorf("write key: %w", err)
	}
	if n.cfg.Admin != "" { // otherwise nobody can set a secret
		n.cfg.Logger.Warn("made the key for secrets, which lies beside the data now: whoever gets both can read them; give the node a key from elsewhere, see docs/secrets.md", "file", file)
	}
	return k, nil
}

// writeKey makes a file as a whole, for its owner to read.
func writeKey(file string, k secret.Key) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".kek-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there is nothing to remove once it is renamed
	_, err = f.WriteString(k.Encode() + "\n")
	err = errors.Join(err, f.Chmod(0o400), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
