package pipeline

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/process/worker"
	"sluice/internal/route"
	"sluice/internal/syncbuf"
	"sluice/internal/wallclock"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	pair tls.Certificate
}

// issued is a certificate and its key, as files have them.
type issued struct{ cert, key []byte }

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	return authority{t, authority{t: t}.issue(template).pair(t)}
}

// issue makes a certificate; without an own one the authority makes one that signs itself.
func (a authority) issue(template *x509.Certificate) issued {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := template, any(key)
	if a.pair.Leaf != nil {
		parent, signer = a.pair.Leaf, a.pair.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return issued{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}
}

func (i issued) pair(t *testing.T) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(i.cert, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// server is a certificate for 127.0.0.1, client one of somebody with a serial number.
func (a authority) server() issued {
	return a.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

func (a authority) client(serial int64) issued {
	return a.issue(&x509.Certificate{SerialNumber: big.NewInt(serial),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// ca is the authority's certificate, as a file has it.
func (a authority) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.pair.Certificate[0]})
}

// guard is a server's side whose certificate and clients' authority can be changed.
type guard struct{ config atomic.Pointer[tls.Config] }

func (g *guard) set(t *testing.T, own issued, clients authority) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(clients.pair.Leaf)
	g.config.Store(&tls.Config{Certificates: []tls.Certificate{own.pair(t)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
}

// server is what a server is made with.
func (g *guard) server() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return g.config.Load(), nil
	}}
}

// files are those of a TLS.
type files struct {
	t *testing.T
	TLS
}

func newFiles(t *testing.T, ca authority, own issued) files {
	t.Helper()
	dir := t.TempDir()
	f := files{t, TLS{Enabled: true, CAFile: filepath.Join(dir, "ca"),
		CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}}
	f.write(f.CAFile, ca.ca())
	f.write(f.CertFile, own.cert)
	f.write(f.KeyFile, own.key)
	return f
}

// write puts a new file in place of the old one, as those do who renew certificates.
func (f files) write(name string, text []byte) {
	f.t.Helper()
	err := os.WriteFile(name+".new", text, 0o600)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// echo is a TLS server that says the serial number of its client's certificate.
func (g *guard) echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", g.server())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if c := conn.(*tls.Conn); c.Handshake() == nil {
				_, _ = c.Write([]byte(c.ConnectionState().PeerCertificates[0].SerialNumber.String() + "\n"))
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// serial connects and returns what the server says.
func serial(t *testing.T, private route.Private, address string) (string, error) {
	t.Helper()
	conn, err := route.Dial(t.Context(), nil, address, &net.Dialer{Timeout: settleMax}, private)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	said := make([]byte, 16)
	n, err := conn.Read(said)
	return strings.TrimSpace(string(said[:n])), err
}

// settleMax is how long a test waits for what must happen.
const settleMax = 20 * time.Second

// TestRenewedCertificatesAreRead by connections that are made then: a certificate whose key is not there yet
// leaves the former in use, which is said once, and a file that has not changed is not read again.
func TestRenewedCertificatesAreRead(t *testing.T) {
	ours, theirs, next := newAuthority(t), newAuthority(t), newAuthority(t)
	var g guard
	g.set(t, theirs.server(), ours)
	address := g.echo(t)
	f := newFiles(t, theirs, ours.client(1))
	var book syncbuf.Buffer
	private, err := f.Load(slog.New(slog.NewTextHandler(&book, nil)))
	if err != nil {
		t.Fatal(err)
	}
	is := func(when, want string) {
		t.Helper()
		for range 2 {
			if got, err := serial(t, private, address); got != want || err != nil {
				t.Errorf("%s: certificate %q, %v; want %s", when, got, err, want)
			}
		}
	}
	refused := func(when, want string) {
		t.Helper()
		if got, err := serial(t, private, address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: certificate %q, %v; want %s", when, got, err, want)
		}
	}
	is("at first", "1")
	if first := private(); private() != first {
		t.Error("what has not changed is read again")
	}
	renewed := ours.client(2)
	f.write(f.CertFile, renewed.cert)
	is("without its key", "1")
	f.write(f.KeyFile, renewed.key)
	is("with its key", "2")
	if n := strings.Count(book.String(), "cannot be read"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, &book)
	}
	if err := os.Remove(f.CAFile); err != nil {
		t.Fatal(err)
	}
	is("without the file of authorities", "2")

	g.set(t, next.server(), ours)
	refused("signed by another authority", "unknown authority")
	f.write(f.CAFile, next.ca())
	is("with its file", "2")
	g.set(t, next.issue(&x509.Certificate{DNSNames: []string{"127.0.0.1", "other"}}), ours)
	refused("for another name", "cannot validate certificate for 127.0.0.1")
	g.set(t, next.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(-time.Hour)}), ours)
	refused("expired", "expired")
	g.set(t, next.server(), next)
	if got, err := serial(t, private, address); err == nil {
		t.Errorf("a server that does not know us says %q", got)
	}
}

// TestRunningClientsTakeRenewedCertificates: the next connection of a store and of a Kafka client that there
// were before is made with them.
func TestRunningClientsTakeRenewedCertificates(t *testing.T) {
	old, renewed := newAuthority(t), newAuthority(t)
	var g guard
	g.set(t, old.server(), old)
	redis := miniredis.NewMiniRedis()
	if err := redis.StartTLS(g.server()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(g.server()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	f := newFiles(t, old, old.client(1))
	c := DefaultConfig()
	c.Redis.Addresses, c.Redis.TLS = []string{redis.Addr()}, f.TLS
	c.Kafka.Brokers, c.Kafka.TLS = kafka.ListenAddrs(), f.TLS
	store, err := c.Redis.Open(t.Context(), nil, buffer.NoSegmentLimit, settleMax)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	connection, err := c.Kafka.Connection(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(connection.Dialing()...) // it connects when it is first used
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	own := renewed.client(2)
	g.set(t, renewed.server(), renewed)
	f.write(f.CAFile, renewed.ca())
	f.write(f.CertFile, own.cert)
	f.write(f.KeyFile, own.key)
	address := redis.Addr()
	redis.Close()
	if err := redis.StartAddrTLS(address, g.server()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settleMax)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		t.Errorf("kafka: %v", err)
	}
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		err := store.Enqueue(ctx, 0, buffer.QueueUpdate{Tick: true, Wall: 1})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("redis: %v", err)
		}
	}
}

// TestAWorkerWaitsForTheKeyOfItsCertificate, while its files are being replaced, as for a server.
func TestAWorkerWaitsForTheKeyOfItsCertificate(t *testing.T) {
	ca := newAuthority(t)
	own, other := ca.client(1), ca.client(2)
	f := newFiles(t, ca, issued{own.cert, other.key})
	c := DefaultConfig()
	c.Redis.TLS = f.TLS
	if _, err := f.Load(nil); err == nil {
		t.Fatal("a key of another certificate is taken")
	}
	said := make(chan error, 1)
	w := connector{cfg: c, own: c.own(), job: worker.Job{Reporter: &signs{}},
		troubles: flusher.NewTroubles(wallclock.Clock{}, func(t flusher.Trouble) {
			select {
			case said <- t.Err:
			default:
			}
		})}
	ctx, cancel := context.WithTimeout(t.Context(), settleMax)
	defer cancel()
	stop, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := connect(ctx, stop, &w, "redis", w.openStore)
		ended <- err
	}()
	select {
	case err := <-said:
		if !isFiles(err) || !strings.Contains(err.Error(), "private key does not match") {
			t.Errorf("it waits because of %v", err)
		}
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	}
	end()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
}
