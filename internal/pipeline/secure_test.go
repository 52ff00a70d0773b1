package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
)

// Both servers want TLS and a login, of this process and of the workers.
func TestLoginsReachTheWorkers(t *testing.T) {
	server, ca := pipelinetest.Certificate(t)
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
	redisTLS, redisCA := pipelinetest.Certificate(t, "redis.invalid")
	redis, err := miniredis.RunTLS(redisTLS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	kafkaTLS, kafkaCA := pipelinetest.Certificate(t)
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
