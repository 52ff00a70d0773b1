package pipeline

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"sluice/internal/route"
)

// TLS says how to talk to a server privately. The zero value is plain text. It names files, which
// each process reads for itself, and again when they have changed.
type TLS struct {
	Enabled bool
	// CAFile holds the certificates (PEM) that sign the server's. Empty: the system's.
	CAFile string
	// CertFile and KeyFile hold this client's certificate and key (PEM). Empty: none.
	CertFile, KeyFile string
	// ServerName is what the server's certificate must be for. Empty: the host that was dialled.
	ServerName string
}

func (t TLS) validate(server string) error {
	if !t.Enabled && t != (TLS{}) {
		return fmt.Errorf("%s: TLS files or a server name are given, but TLS is not switched on", server)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return fmt.Errorf("%s: a client certificate needs both a certificate file and a key file", server)
	}
	return nil
}

// Load reads the files. What it returns reads them again if one has changed since: certificates are renewed
// more often than a program is restarted, and servers refuse one that has expired. It returns nil for plain
// text. The log, which may be nil, hears of that.
func (t TLS) Load(log *slog.Logger) (route.Private, error) {
	if !t.Enabled {
		return nil, nil
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &certificates{of: t, log: log}
	var err error
	if c.files, err = t.look(); err == nil {
		c.config, err = t.read()
	}
	if err != nil {
		return nil, filesError{err}
	}
	return c.current, nil
}

// filesError says that certificates cannot be read, as while they are being replaced: it may pass.
type filesError struct{ error }

func (e filesError) Unwrap() error { return e.error }

// certificates are those of a server, as they could last be read.
type certificates struct {
	of  TLS
	log *slog.Logger

	mu     sync.Mutex
	config *tls.Config   // it is replaced, never changed
	files  []os.FileInfo // as they were just before it was read
	failed bool          // to read them again, which is said
}

// current returns what is in force now. What cannot be read, such as a certificate whose key has not been
// replaced yet, leaves the former in force, and is tried again with the next connection.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	files, err := c.of.look()
	if err == nil && slices.EqualFunc(files, c.files, unchanged) {
		c.failed = false
		return c.config
	}
	var config *tls.Config
	if err == nil {
		config, err = c.of.read()
	}
	if err != nil {
		if !c.failed {
			c.log.Warn("certificates have changed and cannot be read: the former ones stay in use", "error", err)
		}
		c.failed = true
		return c.config
	}
	c.log.Info("certificates have changed: connections from now on are made with the new ones",
		"files", c.of.names())
	c.config, c.files, c.failed = config, files, false
	return c.config
}

func unchanged(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// names are the files that there are.
func (t TLS) names() []string {
	return slices.DeleteFunc([]string{t.CAFile, t.CertFile, t.KeyFile}, func(n string) bool { return n == "" })
}

// look returns what tells whether a file was changed.
func (t TLS) look() (files []os.FileInfo, err error) {
	for _, name := range t.names() {
		file, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func (t TLS) read() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA certificates: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// isFiles tells whether an error is that certificates cannot be read.
func isFiles(err error) bool {
	_, is := errors.AsType[filesError](err)
	return is
}
