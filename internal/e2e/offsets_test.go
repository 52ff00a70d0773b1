package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/internal/servers/servertest"
)

// The group's offsets are set by hand, ahead and back, and deleted, while the program is stopped, Redis is
// set back, and at last wiped: each is said once, with where the input stood and where it is read from now.
func TestOffsetsThatWereReset(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	args := append(append(tr.args(), "--redis", redis.addrs()), options...)
	at := slices.Index(args, "--instance-id")
	args = slices.Delete(args, at, at+2) // a static member stays in its group when it is stopped
	admin := kadm.NewClient(tr.client())
	t.Cleanup(admin.Close)
	first := start(t, args...)
	tr.send()
	tr.settled(time.Minute)
	first.drain(30 * time.Second)
	if first.logged("the offset of the group") || first.logged("the group has no offset") ||
		first.logged("redis knows nothing") || first.logged("redis is behind") {
		t.Error("something is said of offsets that nobody touched")
	}
	ends, err := admin.ListEndOffsets(t.Context(), tr.input)
	if err != nil {
		t.Fatal(err)
	}
	end := func(partition int32) int64 {
		o, _ := ends.Lookup(tr.input, partition)
		return o.Offset
	}
	set := func(to map[int32]int64) {
		t.Helper()
		offsets := make(kadm.Offsets)
		for partition, offset := range to {
			offsets.AddOffset(tr.input, partition, offset, -1)
		}
		until(t, 30*time.Second, "the offsets are set", func() error {
			return admin.CommitAllOffsets(t.Context(), tr.input, offsets)
		})
	}
	again := func(words ...string) {
		t.Helper()
		p := start(t, args...)
		until(t, 10*time.Second, strings.Join(words, " "), func() error {
			if !p.logged(words...) {
				return fmt.Errorf("it is not said")
			}
			return nil
		})
		said := 0
		for line := range strings.Lines(p.log.String()) {
			for _, words := range []string{
				"the offset of the group", "the group has no offset", "redis knows nothing", "redis is behind",
			} {
				if strings.Contains(line, words) {
					said++
				}
			}
		}
		if said != 1 {
			t.Errorf("said %d times, want once", said)
		}
		until(t, 30*time.Second, "all is read", func() error {
			committed, err := admin.FetchOffsetsForTopics(t.Context(), tr.input, tr.input)
			if err != nil {
				return err
			}
			for partition := range int32(partitions) {
				if o, _ := committed.Lookup(tr.input, partition); o.At != end(partition) {
					return fmt.Errorf("partition %d is at %d, want %d", partition, o.At, end(partition))
				}
			}
			return nil
		})
		p.drain(30 * time.Second)
	}

	set(map[int32]int64{3: end(3) - 5})
	again("WARN", "set back", `"partition":3`, fmt.Sprintf(`"from":%d,"to":%d,"messages":5`, end(3), end(3)-5))

	answers, err := admin.DeleteOffsets(t.Context(), tr.input, topicSet(tr.input, 2))
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	again("ERROR", "no offset of the partition any more", `"partition":2`,
		fmt.Sprintf(`"from":%d,"to":0`, end(2)))

	// What is no span is committed, and Redis does not hear of it: nothing is said of that.
	tr.sendRaw(6, 3)
	if ends, err = admin.ListEndOffsets(t.Context(), tr.input); err != nil {
		t.Fatal(err)
	}
	redis.do(t, "HSET", "sluice:{s::5}:owner", "next", strconv.FormatInt(end(5)-7, 10)) // as an older file has it
	again("ERROR", "redis is behind", `"partitions":[5]`, fmt.Sprintf(`"from":[%d],"to":[%d],"messages":7`,
		end(5)-7, end(5)))
	// Redis knows now where the input stands: that is not said again.

	before := end(1)
	tr.sendRaw(1, 4)
	if ends, err = admin.ListEndOffsets(t.Context(), tr.input); err != nil {
		t.Fatal(err)
	}
	set(map[int32]int64{1: end(1)})
	again("ERROR", "set ahead", `"partition":1`,
		fmt.Sprintf(`"from":%d,"to":%d,"messages":4`, before, before+4))

	redis.do(t, "FLUSHALL") // while nobody looks
	again("ERROR", "redis knows nothing of partitions", `"partitions":[0,1,2,3,4,5,6,7]`)
}

// has waits until the metadata shows a topic with so many partitions.
func has(t *testing.T, admin *kadm.Client, topic string, want int) {
	t.Helper()
	until(t, 30*time.Second, "the topic is known", func() error {
		topics, err := admin.ListTopics(t.Context(), topic)
		if err == nil && len(topics[topic].Partitions) != want {
			err = fmt.Errorf("%d partitions, want %d", len(topics[topic].Partitions), want)
		}
		return err
	})
}

func topicSet(topic string, partition int32) kadm.TopicsSet {
	s := make(kadm.TopicsSet)
	s.Add(topic, partition)
	return s
}

// A topic comes back with fewer partitions than before, while Redis holds segments of all: that is said.
func TestFewerPartitionsThanBefore(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	args := append(append(tr.args(), "--redis", redis.addrs()), options...)
	first := start(t, append(slices.Clone(args), "--timeout", "20s", "--root-timeout", "20s")...)
	tr.send()
	until(t, 20*time.Second, "redis holds something of each partition", func() error {
		for partition := range partitions {
			n, err := redis[0].Do("ZCARD", fmt.Sprintf("sluice:{s::%d}:queue", partition))
			if err != nil || n == "0" {
				return fmt.Errorf("partition %d: %s %v", partition, n, err)
			}
		}
		return nil
	})
	first.signal(first.pid(), syscall.SIGKILL)
	<-first.done
	<-tr.sent
	admin := kadm.NewClient(tr.client())
	t.Cleanup(admin.Close)
	if _, err := admin.DeleteTopic(t.Context(), tr.input); err != nil {
		t.Fatal(err)
	}
	until(t, 30*time.Second, "the topic is there again", func() error {
		_, err := admin.CreateTopic(t.Context(), partitions/2, 1, nil, tr.input)
		return err
	})
	has(t, admin, tr.input, partitions/2)
	second := start(t, args...)
	if !second.logged("ERROR", "fewer partitions than before", `"partitions":4`, `"gone":[4,5,6,7]`,
		"--partitions 8") {
		t.Error("it is not said that partitions are gone")
	}
	second.drain(30 * time.Second)
	if _, err := admin.UpdatePartitions(t.Context(), partitions, tr.input); err != nil {
		t.Fatal(err)
	}
	has(t, admin, tr.input, partitions)
	third := start(t, args...)
	if third.logged("fewer partitions") {
		t.Error("partitions are missed that are there again")
	}
	until(t, time.Minute, "redis holds only epochs and clocks", redis.empty)
	third.drain(30 * time.Second)
}
