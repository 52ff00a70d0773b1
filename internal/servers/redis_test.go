package servers_test

import (
	"strings"
	"testing"

	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// ask sends one command and fails the test on an error.
func ask(t *testing.T, addr string, words ...string) string {
	t.Helper()
	answer, err := servers.RedisDo(addr, words...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRedisRestartKeepsPortAndTheDataAskedFor(t *testing.T) {
	s := servertest.Redis(t, "--maxmemory", "64mb")
	if info := ask(t, s.Addr, "INFO", "memory"); !strings.Contains(info, "maxmemory_human:64.00M") {
		t.Errorf("the argument --maxmemory 64mb did not arrive:\n%s", info)
	}
	ask(t, s.Addr, "SET", "k", "v")
	addr, pid := s.Addr, s.Pid()
	check(t, servertest.Restart(s, true))
	if s.Addr != addr || s.Pid() == pid {
		t.Errorf("restarted as %s, process %d; was %s, process %d", s.Addr, s.Pid(), addr, pid)
	}
	if got := ask(t, s.Addr, "GET", "k"); got != "v" {
		t.Errorf("after a restart with data, k = %q, want v", got)
	}
	check(t, servertest.Restart(s, false))
	if got := ask(t, s.Addr, "DBSIZE"); got != "0" {
		t.Errorf("after a restart without data there are %s keys", got)
	}
}

func TestRedisStopsAndStartsAgain(t *testing.T) {
	s := servertest.Redis(t)
	check(t, s.Stop())
	if s.Running() {
		t.Error("running after Stop")
	}
	if _, err := servers.RedisDo(s.Addr, "PING"); err == nil {
		t.Error("answers after Stop")
	}
	check(t, s.Start())
	if err := s.Start(); err == nil {
		t.Error("a second Start beside a running server gave no error")
	}
	ask(t, s.Addr, "PING")
}

func TestFrozenRedisKeepsSilentAndGoesOn(t *testing.T) {
	s := servertest.Redis(t)
	check(t, s.Freeze())
	answered := make(chan error, 1)
	go func() {
		_, err := servers.RedisDo(s.Addr, "PING")
		answered <- err
	}()
	check(t, s.Thaw())
	if err := <-answered; err != nil {
		t.Errorf("after Thaw: %v", err)
	}
	check(t, s.Freeze())
	check(t, s.Kill()) // also when frozen
	if s.Running() {
		t.Error("running after Kill")
	}
}

func TestRedisThatCannotStartSaysWhy(t *testing.T) {
	_, err := servers.StartRedis("--no-such-option", "1")
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("error %v does not quote what Redis said of the bad option", err)
	}
}

func TestRedisClusterServesAllSlots(t *testing.T) {
	addrs := servertest.RedisCluster(t)
	if len(addrs) != servers.ClusterMastersMin {
		t.Fatalf("%d addresses, want %d", len(addrs), servers.ClusterMastersMin)
	}
	for _, addr := range addrs {
		check(t, servers.ClusterWell(addr, len(addrs)))
	}
	moved := 0
	for _, addr := range addrs { // the same key on every node: one has it, the others point there
		if _, err := servers.RedisDo(addr, "SET", "{servers-test}k", "v"); err != nil {
			if !strings.Contains(err.Error(), "MOVED") {
				t.Fatal(err)
			}
			moved++
		}
	}
	if moved != servers.ClusterMastersMin-1 {
		t.Errorf("%d of %d nodes answered MOVED, want all but one", moved, servers.ClusterMastersMin)
	}
}

func TestSharedClusterIsTheSameForAll(t *testing.T) {
	a, b := servertest.RedisCluster(t), servertest.RedisCluster(t)
	if strings.Join(a, ",") != strings.Join(b, ",") {
		t.Errorf("two calls gave two clusters: %v and %v", a, b)
	}
}

func TestClusterNodeComesBackWithItsSlots(t *testing.T) {
	c := servertest.NewRedisCluster(t)
	node := c[0]
	const key = "{06S}k" // slot 0, the first node's
	_, err := node.Do("SET", key, "v")
	check(t, err)
	for _, keep := range []bool{true, false} {
		check(t, servertest.Restart(node, keep))
		check(t, c.WaitWell())
		got, err := node.Do("EXISTS", key)
		check(t, err)
		if want := map[bool]string{true: "1", false: "0"}[keep]; got != want {
			t.Errorf("Restart(%v): EXISTS %s = %s, want %s", keep, key, got, want)
		}
	}
}

func TestDoGivesEveryKindOfAnswerAsText(t *testing.T) {
	s := servertest.Redis(t)
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{"KEYS", "*"}, ""},
		{[]string{"SET", "k", "two words\r\n"}, "OK"},
		{[]string{"GET", "k"}, "two words\r\n"},
		{[]string{"GET", "none"}, ""},
		{[]string{"EXISTS", "k", "k"}, "2"},
		{[]string{"CONFIG", "GET", "port"}, "port\n" + strings.TrimPrefix(s.Addr, "127.0.0.1:")},
		{[]string{"KEYS", "*"}, "k"},
		{[]string{"EVAL", "return {1, {'a', 'b'}, false}", "0"}, "1\na\nb\n"},
	}
	for _, tt := range tests {
		got, err := s.Do(tt.words...)
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.words, got, err, tt.want)
		}
	}
	if _, err := s.Do("INCR", "k"); err == nil || !strings.Contains(err.Error(), "not an integer") {
		t.Errorf("INCR of words: %v, want Redis's own words", err)
	}
}
