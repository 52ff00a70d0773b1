package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall"
)

// TestClean kills a run on given servers: what it left is not touched while it lives, is mentioned
// by the next run, and is removed, and nothing else is.
func TestClean(t *testing.T) {
	program := build(t)
	kafka := servertest.KafkaAddr(t)
	for _, c := range []struct {
		name  string
		redis []string
	}{
		{"redis", []string{servertest.RedisAddr(t)}},
		{"redis-cluster", servertest.RedisCluster(t)},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := newShared(t, c.redis, kafka)
			servers := []string{"--redis", strings.Join(c.redis, ","), "--kafka", kafka}
			clean := func(more ...string) (list []wall.Litter) {
				code, out, errs := call(slices.Concat([]string{"clean", "--json"}, servers, more)...)
				if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil {
					t.Fatalf("exit code %d, %v\n%s\n%s", code, err, out, errs)
				}
				return list
			}
			// await returns what is there of the run as soon as it is so.
			await := func(what string, is func(wall.Litter) bool) wall.Litter {
				t.Helper()
				for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
					list := clean()
					if i := slices.IndexFunc(list, func(l wall.Litter) bool {
						return l.Scenario == c.name && is(l)
					}); i >= 0 {
						return list[i]
					}
					if time.Now().After(end) {
						t.Fatalf("no run %s: %+v", what, list)
					}
				}
			}
			killed := exec.Command(program, slices.Concat([]string{"run", scenarioFile(t, quick), "--world",
				"real", "--duration", "10m", "--set", "name=" + c.name, "--set", "pipeline.timeout=1h",
				"--set", "pipeline.root_timeout=1h", "--set", "expectations.drain_max=2h", "--out", filepath.Join(t.TempDir(), "out")}, servers)...)
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			defer killed.Wait()
			defer killed.Process.Kill()
			await("holds anything", func(l wall.Litter) bool {
				return len(l.Topics) == 3 && len(l.Groups) == 1 && l.Keys > 0
			})
			clean("--yes")
			held := await("is alive", func(l wall.Litter) bool {
				return len(l.Topics) == 3 && len(l.Groups) == 1 && l.Keys > 0 && l.Alive != ""
			})
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			await("has ended", func(l wall.Litter) bool { return l.Alive == "" })
			if list := clean("--yes", "--older-than", "1h"); len(list) > 0 {
				t.Errorf("an hour ago there was %+v", list)
			}
			code, out, errs := call(slices.Concat([]string{"run", scenarioFile(t, quick), "--world", "real",
				"--out", filepath.Join(t.TempDir(), "out")}, servers)...)
			if want := "clean " + strings.Join(servers, " "); code != 0 || !strings.Contains(errs, want) {
				t.Errorf("exit code %d, want %q\n%s\n%s", code, want, errs, out)
			}
			run(slices.Concat([]string{"clean", "--yes"}, servers), deaf{}, io.Discard) // whose list nobody reads
			on.expectGone(held.Run)
		})
	}
}

// strangers are names on the servers that are of no run, though most look as if.
var strangers = []string{"mine", "sluice-sim-notes", "sluice-sim-redis-20261128-094512",
	"sluice-sim-redis-20261128-094512-ab12cd34-other", "my-sluice-sim-redis-20261128-094512-ab12cd34"}

// shared are servers with strangers on them, each a topic and a key.
type shared struct {
	t     *testing.T
	redis rueidis.Client
	kafka *kadm.Client
}

func newShared(t *testing.T, redis []string, kafka string) shared {
	t.Helper()
	r, err := wall.Access{}.DialRedis(redis)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	k, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(kafka, ",")...),
		kgo.MetadataMinAge(10*time.Millisecond)) // a list is remembered for that long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	s := shared{t, r, kadm.NewClient(k)}
	for _, name := range strangers {
		if err := r.Do(t.Context(), r.B().Set().Key(name).Value("v").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.kafka.CreateTopics(t.Context(), 1, 1, nil, strangers...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, name := range strangers {
			r.Do(context.Background(), r.B().Del().Key(name).Build())
		}
		if _, err := s.kafka.DeleteTopics(context.Background(), strangers...); err != nil {
			t.Error(err)
		}
	})
	return s
}

// names returns the names of all topics, groups and keys.
func (s shared) names() []string {
	s.t.Helper()
	topics, err1 := s.kafka.ListTopics(s.t.Context())
	groups, err2 := s.kafka.ListGroups(s.t.Context())
	if err := errors.Join(err1, err2); err != nil {
		s.t.Fatal(err)
	}
	names := slices.Concat(topics.Names(), groups.Groups())
	for _, node := range s.redis.Nodes() {
		keys, err := node.Do(s.t.Context(), node.B().Keys().Pattern("*").Build()).AsStrSlice()
		if err != nil {
			s.t.Fatal(err)
		}
		names = append(names, keys...)
	}
	return names
}

// expectGone expects that nothing is left of a run, and everything of the strangers.
func (s shared) expectGone(run string) {
	s.t.Helper()
	count := map[string]int{}
	for _, name := range s.names() {
		if strings.Contains(name, run) {
			s.t.Errorf("%s is still there", name)
		}
		count[name]++
	}
	for _, name := range strangers {
		if count[name] != 2 {
			s.t.Errorf("of %s there are %d, want a topic and a key", name, count[name])
		}
	}
}
