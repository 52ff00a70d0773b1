package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/servers/servertest"
)

var gap = regexp.MustCompile(`"partitions":\[(\d+)\].* from=(\d+) to=(\d+) count=(\d+)"`)

// saysGap waits for the ERROR about the gap of a partition, which is to end at an offset, and for the
// counter to say the same.
func (p *program) saysGap(partition int32, to int64) (from int64) {
	p.t.Helper()
	until(p.t, 20*time.Second, "the gap is said and counted", func() error {
		var said []string
		for _, l := range p.lines() {
			found := gap.FindStringSubmatch(l.text)
			if l.Msg != "kafka deleted messages that were not read yet" || l.Level != "ERROR" || found == nil ||
				found[1] != strconv.Itoa(int(partition)) {
				continue
			}
			said = found
			from, _ = strconv.ParseInt(found[2], 10, 64)
		}
		if said == nil || said[3] != fmt.Sprint(to) || said[4] != fmt.Sprint(to-from) {
			return fmt.Errorf("%q is said, want a gap that ends at %d", said, to)
		}
		counted := p.samples("sluice_shard_lost_messages_total", fmt.Sprintf(`shard="%d"`, partition))
		if sum(counted) != float64(to-from) {
			return fmt.Errorf("%v are counted, want %d", counted, to-from)
		}
		return nil
	})
	return from
}

// deleteAll deletes what a partition of the input holds, and returns where it goes on.
func (tr *traffic) deleteAll(partition int32) (end int64) {
	tr.t.Helper()
	admin := kadm.NewClient(tr.client())
	defer admin.Close()
	offsets := make(kadm.Offsets)
	offsets.AddOffset(tr.input, partition, -1, -1) // all
	answers, err := admin.DeleteRecords(tr.t.Context(), offsets)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	answer, _ := answers.Lookup(tr.input, partition)
	return answer.LowWatermark
}

// abort sends messages in a transaction that is aborted.
func (tr *traffic) abort(partition int32, n int) {
	tr.t.Helper()
	client := tr.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(tr.input))
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		tr.t.Fatal(err)
	}
	for range n {
		client.Produce(tr.t.Context(), &kgo.Record{Topic: tr.input, Partition: partition, Value: []byte("aborted")}, nil)
	}
	if err := errors.Join(client.Flush(tr.t.Context()),
		client.EndTransaction(tr.t.Context(), kgo.TryAbort)); err != nil {
		tr.t.Fatal(err)
	}
}

// reads waits until the program has read so many messages of a partition.
func (p *program) reads(partition int32, n int) {
	p.t.Helper()
	until(p.t, 30*time.Second, fmt.Sprintf("partition %d is read", partition), func() error {
		return reach(p, "sluice_shard_messages_total", float64(n), fmt.Sprintf(`shard="%d"`, partition))
	})
}

// Messages that Kafka deletes before they are read, while the program reads and while it is stopped, are
// an error with their bounds, and counted. What was aborted is read only by who asks for it, and is no
// gap. Partitions that are added are read within half a minute.
func TestWhatIsReadAndWhatIsNot(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	args := append(append(tr.args(), "--redis", redis.addrs()), options...)
	first := start(t, args...)
	for partition := range int32(partitions) {
		tr.sendRaw(partition, 1)
	}
	first.reads(3, 1)
	first.reads(5, 1)

	// A fetch that waits at the broker returns the first message; what comes behind is not fetched.
	first.signal(first.pid(), syscall.SIGSTOP)
	tr.sendRaw(3, 1)
	tr.sendRaw(3, 6)
	end := tr.deleteAll(3)
	first.signal(first.pid(), syscall.SIGCONT)
	tr.sendRaw(3, 1)
	if from := first.saysGap(3, end); from < 1 || from > 2 || end != 8 {
		t.Errorf("the gap is %d to %d, want 1 or 2 to 8", from, end)
	}
	first.drain(30 * time.Second)

	tr.sendRaw(5, 4)
	end = tr.deleteAll(5)
	tr.abort(2, 3)
	tr.sendRaw(5, 1)
	tr.sendRaw(2, 1)
	second := start(t, args...)
	if from := second.saysGap(5, end); from != 1 || end != 5 {
		t.Errorf("the gap is %d to %d, want 1 to 5", from, end)
	}
	second.reads(2, 1)
	if n := sum(second.samples("sluice_shard_messages_total", `shard="2"`)); n != 1 {
		t.Errorf("%v messages of partition 2 are read, want the one behind the aborted ones", n)
	}
	if n := sum(second.samples("sluice_shard_lost_messages_total", `shard="2"`)); n > 0 {
		t.Errorf("%v aborted messages are taken for deleted ones", n)
	}

	admin := kadm.NewClient(tr.client())
	defer admin.Close()
	if _, err := admin.UpdatePartitions(t.Context(), partitions+2, tr.input); err != nil {
		t.Fatal(err)
	}
	has(t, admin, tr.input, partitions+2)
	tr.sendRaw(partitions+1, 1)
	second.reads(partitions+1, 1)
	second.drain(30 * time.Second)

	third := start(t, append(args, "--group", tr.input+"-again", "--read-uncommitted")...)
	third.reads(2, 5) // before, aborted, behind
	third.drain(30 * time.Second)
}
