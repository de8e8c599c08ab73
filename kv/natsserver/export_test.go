package natsserver

// SystemUser and SystemPassword are known to nobody outside.
const SystemUser = systemUser

func (s *Server) SystemPassword() string { return s.access.system }

// InSystem reports whether this process comes to the system's account.
func (s *Server) InSystem() error {
	nc, err := s.system()
	if err == nil {
		_, err = nc.Request(SystemSubject, nil, copyTime)
		nc.Close()
	}
	return err
}

// SystemSubject is answered in the system's account alone.
const SystemSubject = "$SYS.REQ.SERVER.PING.JSZ"
