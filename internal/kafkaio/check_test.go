package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/servers/servertest"
)

func TestCheckNamesAddressAndCauseOfADeadBroker(t *testing.T) {
	address := servertest.Unused(t)
	cfg, _ := configFor(address)
	err := Check(bounded(t), cfg, "spans")
	if err == nil || !strings.Contains(err.Error(), address) ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Check = %v, want %s and connection refused", err, address)
	}
}

func TestCheckIsBounded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	cfg, _ := configFor(listener.Addr().String())
	cfg.CheckTimeout = 200 * time.Millisecond
	began := time.Now()
	err = Check(bounded(t), cfg, "spans")
	if err == nil || !strings.Contains(err.Error(), cfg.Brokers[0]) {
		t.Errorf("Check = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Check took %v", took)
	}
}

// A connection that nobody takes in time is no answer in time, though the client gives up before the time
// for an answer is over.
func TestCheckOfABrokerThatTakesNoConnection(t *testing.T) {
	cfg, _ := configFor("127.0.0.1:9")
	cfg.CheckTimeout = time.Minute
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}
	err := Check(bounded(t), cfg)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:9 did not answer within 1m0s") {
		t.Errorf("Check = %v, want that it did not answer", err)
	}
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if err := Check(bounded(t), cfg); err == nil || strings.Contains(err.Error(), "did not answer") {
		t.Errorf("Check = %v, want that it was refused", err)
	}
}

func TestMissingTopicsAreNamedAndCreated(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	err := Check(bounded(t), cfg, "spans", "segments", "dlq")
	var missing *MissingTopicsError
	if !errors.As(err, &missing) || !slices.Equal(missing.Topics, []string{"dlq", "segments"}) {
		t.Fatalf("Check = %v, want dlq and segments", err)
	}
	created, err := CreateTopics(bounded(t), cfg, 3, 1, "spans", "segments", "dlq")
	slices.Sort(created)
	if err != nil || !slices.Equal(created, []string{"dlq", "segments"}) {
		t.Errorf("CreateTopics = %v, %v", created, err)
	}
	if err := Check(bounded(t), cfg, "spans", "segments", "dlq"); err != nil {
		t.Errorf("Check = %v after they were created", err)
	}
	if got := len(cluster.PartitionInfos("dlq")); got != 3 {
		t.Errorf("dlq has %d partitions, want 3", got)
	}
	if created, err := CreateTopics(bounded(t), cfg, 3, 1, "spans"); err != nil || created != nil {
		t.Errorf("CreateTopics = %v, %v for one that exists", created, err)
	}
}

func TestCreateTopicsSaysWhatTheBrokerRefuses(t *testing.T) {
	cluster := fake(t)
	cfg, _ := configFor(cluster.ListenAddrs()...)
	_, err := CreateTopics(bounded(t), cfg, 1, 7, "spans")
	if !errors.Is(err, kerr.InvalidReplicationFactor) || !strings.Contains(err.Error(), "spans") {
		t.Errorf("CreateTopics = %v", err)
	}
}

func TestLogins(t *testing.T) {
	for mechanism, name := range map[Mechanism]string{
		Plain: "PLAIN", ScramSHA256: "SCRAM-SHA-256", ScramSHA512: "SCRAM-SHA-512",
	} {
		cluster := fake(t, kfake.EnableSASL(), kfake.Superuser(name, "me", "hunter2"),
			kfake.SeedTopics(1, "spans"))
		cfg, _ := configFor(cluster.ListenAddrs()...)
		cfg.SASL = SASL{Mechanism: mechanism, User: "me", Password: "hunter2"}
		if err := Check(bounded(t), cfg, "spans"); err != nil {
			t.Errorf("%s: Check = %v", mechanism, err)
		}
		cfg.SASL.Password = "hunter3"
		err := Check(bounded(t), cfg, "spans")
		if err == nil || strings.Contains(err.Error(), "hunter") ||
			!strings.Contains(err.Error(), cfg.Brokers[0]) {
			t.Errorf("%s: Check = %v with a wrong password", mechanism, err)
		}
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // for its certificate
	web.StartTLS()
	defer web.Close()
	cluster := fake(t, kfake.SeedTopics(1, "spans"),
		kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	cfg.CheckTimeout = time.Second
	if err := Check(bounded(t), cfg, "spans"); err == nil {
		t.Error("plain text is taken")
	}
	cfg.CheckTimeout = 10 * time.Second
	cfg.TLS = func() *tls.Config { return web.Client().Transport.(*http.Transport).TLSClientConfig }
	if err := Check(bounded(t), cfg, "spans"); err != nil {
		t.Errorf("Check = %v", err)
	}
}

func TestEndOfTheContextEndsCheck(t *testing.T) {
	cluster := fake(t)
	cluster.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, true // no answer
	})
	cfg, _ := configFor(cluster.ListenAddrs()...)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := Check(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Check = %v, want the context's error", err)
	}
}
