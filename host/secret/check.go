package secret

// Check reports whether the Key, or the one before, opens the data key of an account
// that another store has.
func (r *Keyring) Check(account string, record []byte) error {
	id, err := header(record)
	if err != nil {
		return err
	}
	for _, k := range []Key{r.cfg.Key, r.cfg.Previous} {
		if !k.IsZero() && k.id == id {
			_, err := unwrap(k, record, account)
			return err
		}
	}
	return &WrongKeyError{account, id.String(), r.cfg.Key.ID()}
}
