package pipeline_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
)

// certificate makes a certificate for 127.0.0.1, or for names instead, that signs itself, and the
// file that clients need.
func certificate(t *testing.T, names ...string) (server *tls.Config, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if len(names) > 0 {
		template.IPAddresses, template.DNSNames = nil, names
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, caFile
}

// Both servers want TLS and a login, of this process and of the workers.
func TestLoginsReachTheWorkers(t *testing.T) {
	server, ca := certificate(t)
	redis, err := miniredis.RunTLS(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	redis.RequireUserAuth("keeper", "redis-secret")
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(server), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "me", "kafka-secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w := pipelinetest.On(t, []string{redis.Addr()}, kafka.ListenAddrs(), func(c *pipeline.Config) {
		c.Redis.TLS = pipeline.TLS{Enabled: true, CAFile: ca}
		c.Redis.User, c.Redis.Password = "keeper", "redis-secret"
		c.Kafka.TLS = c.Redis.TLS
		c.Kafka.SASL = kafkaio.SASL{Mechanism: kafkaio.Plain, User: "me", Password: "kafka-secret"}
		c.Mode = pipeline.ModeProcess
	})
	p := start(t, w.Config())
	if err := w.Send(t.Context(), 1000, 2000); err != nil {
		t.Fatal(err)
	}
	w.AwaitSettled(t)
	p.end(t)
	w.CheckNothingLost(t, pipelinetest.NoRepeats)
	w.CheckEmpty(t)
	refusesWrongLogins(t, w)
}

// Redis goes by a name that leads nowhere, and that its certificate is for; the broker that is named
// leads nowhere either.
func TestRoutesReachTheWorkers(t *testing.T) {
	const redisName, kafkaName = "redis.invalid:6379", "127.0.0.1:1"
	redisTLS, redisCA := certificate(t, "redis.invalid")
	redis, err := miniredis.RunTLS(redisTLS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	kafkaTLS, kafkaCA := certificate(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(kafkaTLS))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w := pipelinetest.On(t, []string{redisName}, kafka.ListenAddrs(), func(c *pipeline.Config) {
		c.Redis.TLS = pipeline.TLS{Enabled: true, CAFile: redisCA}
		c.Redis.Routes = map[string]string{redisName: redis.Addr()}
		c.Kafka.TLS = pipeline.TLS{Enabled: true, CAFile: kafkaCA}
	})
	cfg := w.Config()
	cfg.Mode = pipeline.ModeProcess
	cfg.Kafka.Brokers = []string{kafkaName}
	cfg.Kafka.Routes = map[string]string{kafkaName: kafka.ListenAddrs()[0]}
	p := start(t, cfg)
	if err := w.Send(t.Context(), 1000, 2000); err != nil {
		t.Fatal(err)
	}
	w.AwaitSettled(t)
	p.end(t)
	w.CheckNothingLost(t, pipelinetest.NoRepeats)
}

// Servers that speak plain text, talked to in TLS.
func TestTLSToPlainServersIsNamed(t *testing.T) {
	t.Parallel()
	cfg := pipelinetest.Fakes(t).Config()
	cfg.Redis.TLS.Enabled, cfg.Kafka.TLS.Enabled = true, true
	p, err := pipeline.Open(t.Context(), cfg)
	if err == nil {
		p.Close()
		t.Fatal("it opened")
	}
	if n := strings.Count(err.Error(), "does not speak TLS on this port, which is on here"); n != 2 {
		t.Errorf("%v says it %d times, want of both", err, n)
	}
}

// refusesWrongLogins: each error names the server, and no password.
func refusesWrongLogins(t *testing.T, w *pipelinetest.World) {
	cases := []struct {
		name, server string
		spoil        func(*pipeline.Config)
		advice       string
	}{
		{"redis password", "redis " + w.Redis[0], func(c *pipeline.Config) {
			c.Redis.Password = "wrong-secret"
		}, ""},
		{"redis in plain text", "redis " + w.Redis[0], func(c *pipeline.Config) {
			c.Redis.TLS = pipeline.TLS{}
		}, "speaks TLS, which is off here"},
		{"kafka password", "kafka " + w.Kafka[0], func(c *pipeline.Config) {
			c.Kafka.SASL.Password = "wrong-secret"
		}, ""},
		{"kafka in plain text", "kafka " + w.Kafka[0], func(c *pipeline.Config) {
			c.Kafka.TLS = pipeline.TLS{}
		}, "speaks TLS, which is off here"},
		{"no such CA file", "nosuch.pem", func(c *pipeline.Config) {
			c.Kafka.TLS.CAFile = "nosuch.pem"
		}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := w.Config()
			c.spoil(&cfg)
			began := time.Now()
			p, err := pipeline.Open(t.Context(), cfg)
			if err == nil {
				p.Close()
				t.Fatal("it opened")
			}
			t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
			if !strings.Contains(err.Error(), c.advice) ||
				c.advice == "" && strings.Contains(err.Error(), "speak TLS") {
				t.Errorf("%v, want advice %q", err, c.advice)
			}
			if !strings.Contains(err.Error(), c.server) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want an error about %s, without the password", err, c.server)
			}
		})
	}
}
