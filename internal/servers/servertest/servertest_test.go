package servertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/servers"
)

// fakeTB notes how a test would have ended.
type fakeTB struct{ skipped, failed string }

func (*fakeTB) Helper()                       {}
func (*fakeTB) Cleanup(func())                {}
func (f *fakeTB) Skipf(s string, args ...any) { f.skipped = fmt.Sprintf(s, args...) }
func (f *fakeTB) Fatalf(s string, a ...any)   { f.failed = fmt.Sprintf(s, a...) }
func (f *fakeTB) Errorf(s string, a ...any)   { f.failed = fmt.Sprintf(s, a...) }

var _ TB = (testing.TB)(nil)

func TestMissingServerSkipsHereAndFailsInCI(t *testing.T) {
	missing := fmt.Errorf("redis-server is %w", servers.ErrMissing)
	broken := errors.New("would not start")
	tests := []struct {
		ci              string
		err             error
		skipped, failed bool
	}{
		{"", nil, false, false},
		{"", missing, true, false},
		{"true", missing, false, true},
		{"", broken, false, true},
		{"true", broken, false, true},
	}
	for _, tt := range tests {
		t.Setenv("CI", tt.ci)
		var tb fakeTB
		must(&tb, tt.err)
		if (tb.skipped != "") != tt.skipped || (tb.failed != "") != tt.failed {
			t.Errorf("CI=%q, %v: got %+v", tt.ci, tt.err, tb)
		}
		if line := tb.skipped + tb.failed; tt.err == missing && !strings.Contains(line, "make tools") {
			t.Errorf("%q does not say how to get the server", line)
		}
	}
}

func TestNamedServersAreUsed(t *testing.T) {
	t.Setenv(EnvRedis, "10.0.0.1:6379")
	t.Setenv(EnvRedisCluster, "a:1, b:2,")
	t.Setenv(EnvKafka, "k:1,k:2")
	if got := RedisAddr(t); got != "10.0.0.1:6379" {
		t.Errorf("redis %q", got)
	}
	if got := strings.Join(RedisCluster(t), " "); got != "a:1 b:2" {
		t.Errorf("cluster %q", got)
	}
	if got := KafkaAddr(t); got != "k:1,k:2" {
		t.Errorf("kafka %q", got)
	}
	t.Setenv(EnvRedis, "a:1,b:2")
	var tb fakeTB
	RedisAddr(&tb)
	if !strings.Contains(tb.failed, EnvRedisCluster) {
		t.Errorf("two addresses for one Redis: %q does not name %s", tb.failed, EnvRedisCluster)
	}
}

func TestSharedKafkaRunsAgainForTheNextTest(t *testing.T) {
	var stopped *servers.KafkaServer
	t.Run("stops it", func(t *testing.T) {
		stopped = Kafka(t)
		if err := stopped.Stop(); err != nil {
			t.Fatal(err)
		}
	})
	if s := Kafka(t); s != stopped || !s.Running() {
		t.Errorf("next test: the same server %v, running %v; want both", s == stopped, s.Running())
	}
}
