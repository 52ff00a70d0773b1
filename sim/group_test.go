package sim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// rig is a member of its group alone, with a topic of one partition.
type rig struct {
	*member
	t *testing.T
}

func newRig(t *testing.T) rig {
	t.Helper()
	s := scenarios.Default()
	s.Topology.Partitions = 1
	return newRigOf(t, s)
}

// newRigOf is newRig with the topic, the brokers and the account of a scenario.
func newRigOf(t *testing.T, s scenarios.Scenario) rig {
	t.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	sink := harness.NewSink(s, load.NewGenerator(s), nil)
	b := newKafka(k, DefaultCosts(), newHosts(k, Hosts{}, Network{}), s, sink)
	return rig{b.group.join(k.Main(), ""), t}
}

func parse(t *testing.T, text string) (f scenarios.Fault) {
	t.Helper()
	if err := f.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

// send adds a message to the topic.
func (r rig) send() { r.add(0, r.k.Now(), nil, []byte("x")) }

// poll expects changes of the assignment, and so many messages.
func (r rig) poll(when string, messages int, want flusher.Fetch) {
	r.t.Helper()
	got, err := r.Poll(context.Background(), 10, time.Second)
	n := 0
	for _, b := range got.Batches {
		n += len(b.Messages)
	}
	if err != nil || n != messages || !slices.Equal(got.Assigned, want.Assigned) ||
		!slices.Equal(got.Lost, want.Lost) || len(got.Revoked) > 0 {
		r.t.Errorf("%s: %+v with %d messages (%v), want %+v with %d", when, got, n, err, want, messages)
	}
}

var assigned = flusher.Fetch{Assigned: []int32{0}}

// A partition that was paused, given back and assigned again is read.
func TestAssignmentEndsAPause(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	r.Pause(0)
	r.send()
	r.poll("paused", 0, flusher.Fetch{})
	r.Released(0)
	r.poll("assigned again, and nothing is committed", 2, assigned)
}

// A member that the group gave up joins again, and hears of the loss before it reads anything.
func TestALostMemberJoinsAgain(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	r.leave(r.member, true)
	r.poll("lost", 0, flusher.Fetch{Lost: []int32{0}})
	r.poll("assigned again", 1, assigned)
}

// TestASessionExpiresBehindACut: the coordinator lives on while the network to it is cut, in whichever
// direction, and gives up whom it does not hear of; a member hears of that when it is over. While there is no
// coordinator, or a shorter time, nobody is given up.
func TestASessionExpiresBehindACut(t *testing.T) {
	session := DefaultCosts().Kafka.Session
	for text, lost := range map[string]bool{
		"black-hole kafka": true, "black-hole kafka requests": true, "black-hole kafka answers": true,
		"refuse kafka": true, "stop kafka": false, "crash kafka": false, "hang kafka": false,
	} {
		for lasts, lost := range map[time.Duration]bool{
			session - time.Second: false, session + time.Second: lost,
		} {
			r := newRig(t)
			r.send()
			r.poll("first", 1, assigned)
			undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
			if err != nil {
				t.Fatal(err)
			}
			for over := r.k.Now().Add(lasts); r.k.Now().Before(over); {
				r.poll(text+" lasts", 0, flusher.Fetch{})
			}
			if err := undo(); err != nil {
				t.Fatal(err)
			}
			if !lost {
				r.poll(text+" is over", 0, flusher.Fetch{})
				continue
			}
			if err := r.Commit(t.Context(), []flusher.Message{{}}); !errors.Is(err, errNotMember) {
				t.Errorf("%s: a member that was given up commits: %v", text, err)
			}
			r.poll(text+" is over", 0, flusher.Fetch{Lost: []int32{0}})
			r.poll("assigned again", 1, assigned)
		}
	}
}

// TestWhatIsLetGoBehindACut: the group hears of it when the member can tell it, and gives it on then. If that takes
// longer than a session it gives up the member, which hears only of the loss of what it still had.
func TestWhatIsLetGoBehindACut(t *testing.T) {
	session := DefaultCosts().Kafka.Session
	s := scenarios.Default()
	s.Topology.Partitions = 2
	for text, expires := range map[string]bool{
		"refuse kafka": true, "black-hole kafka": true, "black-hole kafka requests": true, "stop kafka": false,
		"crash kafka": false, "hang kafka": false,
	} {
		for _, lasts := range []time.Duration{time.Second, session + time.Second} {
			r := newRigOf(t, s)
			r.poll("first", 0, flusher.Fetch{Assigned: []int32{0, 1}})
			other := r.join(r.k.Main(), "")
			got, err := r.Poll(t.Context(), 10, time.Second)
			if err != nil || !slices.Equal(got.Revoked, []int32{1}) {
				t.Fatalf("%+v, %v, want that 1 is to be given back", got, err)
			}
			undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
			if err != nil {
				t.Fatal(err)
			}
			r.Released(1)
			_ = r.k.Sleep(t.Context(), lasts-watchEvery)
			if !(expires && lasts > session) && r.owners[1] != r.member {
				t.Errorf("%s: the group has heard that 1 is free", text)
			}
			_ = r.k.Sleep(t.Context(), watchEvery)
			if err := undo(); err != nil {
				t.Fatal(err)
			}
			if expires && lasts > session {
				r.poll(text+" is over", 0, flusher.Fetch{Lost: []int32{0}})
				continue
			}
			_ = r.k.Sleep(t.Context(), 2*watchEvery)
			if r.owners[0] != r.member || r.owners[1] != other {
				t.Errorf("%s is over after %v, and the group has not heard that 1 is free", text, lasts)
			}
		}
	}
}

// What a static member had not given back when it ended, another one gets from its successor.
func TestASuccessorGivesBackToo(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	r := newRigOf(t, s)
	r.leave(r.member, false)
	rig{r.join(r.k.Main(), "static"), t}.poll("first", 0, flusher.Fetch{Assigned: []int32{0, 1}})
	other := r.join(r.k.Main(), "")
	next := r.join(r.k.Main(), "static")
	if r.owners[0] != next || r.owners[1] != other {
		t.Error("a partition that was asked for is not given on")
	}
}

// TestAFetchThatIsCut brings nothing, and no gap, however it is held up: what was on its way is read again.
func TestAFetchThatIsCut(t *testing.T) {
	type fault = scenarios.Fault
	s := scenarios.Default()
	s.Topology.Partitions, s.Faults = 1, []fault{{Verb: scenarios.VerbDelete}}
	for name, held := range map[string]fault{
		"nothing": {}, "slow": {Verb: scenarios.VerbSlow, By: 5 * time.Second, Direction: scenarios.Answers},
		"throttle": {Verb: scenarios.VerbThrottle, To: 1, Direction: scenarios.Answers},
	} {
		for _, text := range []string{
			"cut kafka", "refuse kafka for 1m", "stop kafka for 1m", "crash kafka for 1m", "black-hole kafka answers for 1m",
		} {
			r := newRigOf(t, s)
			r.poll("first", 0, assigned)
			r.send()
			if _, err := r.Break(s.Faults[0]); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				r.send()
			}
			ease, in := func() error { return nil }, r.costs.Fetch/2
			if held.Verb != "" {
				ease, _ = r.breakDown(held)
				in = time.Second / 2
			}
			undo := func() error { return nil }
			r.k.Go("breaks", func() {
				_ = r.k.Sleep(context.Background(), in)
				end, err := r.Break(parse(t, "at 1s "+text))
				if err != nil {
					t.Error(err)
				}
				if end != nil {
					undo = end
				}
			})
			begin := r.k.Now()
			fetch, err := r.Poll(t.Context(), 10, in)
			if err != nil || len(fetch.Batches)+len(fetch.Gaps) > 0 {
				t.Errorf("%s: a fetch that %s held up brings %+v, %v", text, name, fetch, err)
			}
			if took := r.k.Now().Sub(begin); took > in && held.Verb != "" && !strings.HasPrefix(text, "black-hole") {
				t.Errorf("%s: a fetch that %s held up hears of that after %v, want %v", text, name, took, in)
			}
			if err := errors.Join(ease(), undo()); err != nil {
				t.Error(err)
			}
			fetch, err = r.Poll(t.Context(), 10, time.Second)
			if err != nil || len(fetch.Batches) != 1 || len(fetch.Batches[0].Messages) != 3 ||
				!slices.Equal(fetch.Gaps, []flusher.Gap{{From: 0, To: 1}}) {
				t.Errorf("%s is over, a fetch that %s held up is made again: %+v, %v", text, name, fetch, err)
			}
		}
	}
}

// TestAnAcknowledgementThatIsLost: the record is there, once, and its producer knows nothing of that until it has
// sent it again.
func TestAnAcknowledgementThatIsLost(t *testing.T) {
	for text, before := range map[string]bool{
		"black-hole kafka answers": true, "refuse kafka": false, "crash kafka": false,
	} {
		r := newRig(t)
		cpu := &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}
		producer := r.newProducer(r.k.Main(), cpu, 0)
		var undo func() error
		breaks := func() (err error) {
			undo, err = r.Break(parse(t, "at 1s "+text+" for 1m"))
			return err
		}
		if before {
			if err := breaks(); err != nil {
				t.Fatal(err)
			}
		}
		future := producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: []byte("k")})
		for r.offset == 0 {
			_ = r.k.Sleep(t.Context(), r.hop)
		}
		if !before {
			_ = r.k.Sleep(t.Context(), r.costs.Acknowledge/2)
			if err := breaks(); err != nil {
				t.Fatal(err)
			}
		}
		wait, cancel := r.k.WithTimeout(context.Background(), time.Second)
		if err := future.Wait(wait); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: its producer hears of it: %v", text, err)
		}
		cancel()
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if err := future.Wait(t.Context()); err != nil || r.offset != 1 {
			t.Errorf("%s is over: %v, it is there %d times", text, err, r.offset)
		}
	}
}

// TestWhatFails: a broker that fails takes neither segments nor dead letters, a partition only no segments.
func TestWhatFails(t *testing.T) {
	for text, letters := range map[string]bool{"fail kafka": false, "fail partition 0": true} {
		r := newRig(t)
		undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
		if err != nil {
			t.Fatal(err)
		}
		takes := func(topic string) bool {
			s := &sending{record: flusher.Record{Topic: topic}}
			return r.take(s, 0) && s.decided
		}
		if takes(outputTopic) || takes(letterTopic) != letters {
			t.Errorf("%s: a segment is taken, or whether a dead letter is taken is not %v", text, letters)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if !takes(letterTopic) || r.failing[0] != 0 {
			t.Errorf("%s is over, and something is not taken", text)
		}
	}
}

// What a member was given and lost before it heard of either, it never had.
func TestWhatWasNotHeardOfIsNotLost(t *testing.T) {
	r := newRig(t)
	other := r.join(r.k.Main(), "")
	r.poll("first", 0, assigned)
	r.leave(r.member, true)
	r.leave(other, true) // it was given the partition in between
	other.again()
	got, err := other.Poll(context.Background(), 10, time.Second)
	if err != nil || len(got.Lost) > 0 || !slices.Equal(got.Assigned, []int32{0}) {
		t.Errorf("%+v, %v, want partition 0", got, err)
	}
}

// What a member was given it does not read before it hears of that, also where it could.
func TestWhatWasNotHeardOfIsNotRead(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	s.Faults = []scenarios.Fault{parse(t, "at 1s stop kafka broker 0 for 1s")}
	r := newRigOf(t, s)
	undo, err := r.Break(s.Faults[0])
	if err != nil {
		t.Fatal(err)
	}
	r.add(1, r.k.Now(), nil, []byte("x"))
	r.poll("the coordinator is down", 0, flusher.Fetch{})
	_ = undo()
	r.poll("it is back", 1, flusher.Fetch{Assigned: []int32{0, 1}})
}

// A member says what was deleted before it read it, once and when the next message has come, and what
// was deleted before it came is none of its business.
func TestAGapIsReported(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions, s.Faults = 1, []scenarios.Fault{{Verb: scenarios.VerbDelete}}
	r := newRigOf(t, s)
	remove := func() {
		t.Helper()
		if _, err := r.Break(s.Faults[0]); err != nil {
			t.Fatal(err)
		}
	}
	gaps := func(when string, want ...flusher.Gap) {
		t.Helper()
		got, err := r.Poll(context.Background(), 10, time.Second)
		if err != nil || !slices.Equal(got.Gaps, want) {
			t.Errorf("%s: %v, %v, want %v", when, got.Gaps, err, want)
		}
	}
	r.send()
	r.poll("first", 1, assigned)
	r.send()
	r.send()
	remove()
	gaps("nothing has come")
	r.send()
	gaps("something has come", flusher.Gap{From: 1, To: 3})
	gaps("it was said")
	r.send()
	remove()
	r.send()
	if waiting := r.input[0].end() - r.input[0].first; waiting != 1 {
		t.Errorf("%d messages are there, want 1", waiting)
	}
	r.leave(r.member, false)
	late := rig{r.join(r.k.Main(), ""), t}
	late.poll("nothing is committed, so it begins where the log does", 1, assigned)
}

// A partition without a leader, or whose broker is down, can neither be read nor written; the others can.
func TestPartitionsOfABroker(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 6
	for _, text := range []string{"at 1s stop kafka broker 1 for 1s", "at 1s depose partition 4 for 1s"} {
		s.Faults = append(s.Faults, parse(t, text))
	}
	for n, hit := range [][]int32{{1, 4}, {4}} {
		r := newRigOf(t, s)
		undo, err := r.Break(s.Faults[n])
		if err != nil {
			t.Fatal(err)
		}
		producer := r.newProducer(r.k.Main(), &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}, 0)
		futures := make([]flusher.Future, 0, 50)
		var on []int32
		for i := range 50 {
			key := []byte{byte(i)}
			futures = append(futures, producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: key}))
			on = append(on, ledger.PartitionOf(key, 6))
		}
		for p := range int32(6) {
			r.add(p, r.k.Now(), nil, []byte("x"))
		}
		read := func() (list []int32) {
			for range 3 {
				got, err := r.Poll(context.Background(), 10, 100*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range got.Batches {
					list = append(list, b.Partition)
				}
			}
			return list
		}
		if got := read(); len(got) != 6-len(hit) || slices.ContainsFunc(hit, func(p int32) bool {
			return slices.Contains(got, p)
		}) {
			t.Errorf("%v: %v are read", s.Faults[n], got)
		}
		for i, future := range futures {
			ctx, cancel := r.k.WithTimeout(context.Background(), 10*time.Millisecond)
			if err := future.Wait(ctx); (err != nil) != slices.Contains(hit, on[i]) {
				t.Errorf("%v: a record for partition %d: %v", s.Faults[n], on[i], err)
			}
			cancel()
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if got := read(); !slices.Equal(got, hit) {
			t.Errorf("%v is over: %v are read", s.Faults[n], got)
		}
		if err := producer.Flush(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestALeaderThatIsDeposed has what it was just given, or not; nobody says so, and it is there once.
func TestALeaderThatIsDeposed(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 1
	r := newRigOf(t, s)
	l := &lane{producer: &producer{kafka: r.kafka}}
	const n = 100
	var list []*sending
	for range n {
		list = append(list, &sending{record: flusher.Record{Topic: letterTopic}})
	}
	_ = r.k.Sleep(context.Background(), time.Second)
	undo := r.depose([]int32{0})
	for _, s := range list {
		if l.take(s, 0) || s.decided {
			t.Fatal("it is acknowledged")
		}
	}
	there := r.offset
	if there < n/4 || there > n-n/4 {
		t.Errorf("the next leader has %d of %d records", there, n)
	}
	for _, s := range list {
		if l.take(s, r.k.Elapsed()) {
			t.Fatal("there is no leader")
		}
	}
	if r.offset != there {
		t.Errorf("%d more were taken without a leader", r.offset-there)
	}
	_ = undo()
	for _, s := range list {
		if !l.take(s, r.k.Elapsed()) || !s.decided {
			t.Fatal("it is refused")
		}
	}
	if r.offset != n {
		t.Errorf("%d records are there, of %d", r.offset, n)
	}
}

// What a poll is to return waits for its turn on a throttled connection no longer than the throttle lasts.
func TestAPollGoesOnWhenNothingThrottlesIt(t *testing.T) {
	r := newRig(t)
	undo, _ := r.breakDown(scenarios.Fault{Verb: scenarios.VerbThrottle, To: 1,
		Direction: scenarios.Answers})
	for range 10 { // which take 10 s at 1 byte/s
		r.send()
	}
	r.k.After(time.Second, func() { _ = undo() })
	begin := r.k.Now()
	r.poll("throttled for a second", 10, assigned)
	if took := r.k.Now().Sub(begin); took < time.Second || took > 2*time.Second {
		t.Errorf("the poll took %v", took)
	}
	r.send()
	begin = r.k.Now()
	r.poll("and then", 1, flusher.Fetch{})
	if took := r.k.Now().Sub(begin); took > time.Second {
		t.Errorf("the next poll took %v", took)
	}
}

// TestRecordsGatherWhileARequestIsMade: what is produced while the process computes what a request of
// records takes goes with the next one, so that a flood of records needs few.
func TestRecordsGatherWhileARequestIsMade(t *testing.T) {
	const n, perRecord = 1000, 100 * time.Microsecond
	r := newRig(t)
	on := newHosts(r.k, Hosts{Cores: 2}, Network{})
	cpu := &processor{k: r.k, on: on.pipeline.Share("worker", 0), used: &on.workers}
	producer := r.newProducer(r.k.Main(), cpu, perRecord)
	r.kafka.costs.Request = time.Nanosecond
	r.kafka.costs.Record, r.kafka.costs.KB = 0, 0
	ctx := context.Background()
	for range n {
		producer.Produce(ctx, flusher.Record{Topic: letterTopic, Key: []byte("k")})
		_ = r.k.Sleep(ctx, perRecord/2)
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if r.offset != n {
		t.Errorf("%d of %d records are there", r.offset, n)
	}
	if on.workers != n*perRecord {
		t.Errorf("the process computed %v, want %v", on.workers, n*perRecord)
	}
	// Each takes as long to make as the one before it, and twice as many have come meanwhile: 2 ms of
	// linger are 40 records, then 80, and so on.
	requests := int(r.kafka.used / (2 * time.Nanosecond))
	if requests < 2 || requests > 8 {
		t.Errorf("%d requests for %d records", requests, n)
	}
}

// TestTheDigestIsOfWhatRecordsHold: what is written in another order, or under another key, is another run.
func TestTheDigestIsOfWhatRecordsHold(t *testing.T) {
	record := func(key, value string, headers ...string) flusher.Record {
		r := flusher.Record{Topic: letterTopic, Key: []byte(key), Value: []byte(value)}
		for i := 0; i < len(headers); i += 2 {
			r.Headers = append(r.Headers, flusher.Header{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return r
	}
	seen := map[string]flusher.Record{}
	for _, record := range []flusher.Record{
		record("key", "ab"), record("key", "ba"), record("kez", "ab"), record("ab", "key"),
		record("k", "a", "h", "v"), record("k", "a", "v", "h"), record("k", "a", "h", "w"),
		record("k", "a", "h", "1", "i", "2"), record("k", "a", "i", "2", "h", "1"),
	} {
		write := func() string {
			r := newRig(t)
			r.keep(&sending{record: record}, size(record))
			return r.k.Digest()
		}
		digest := write()
		if again := write(); again != digest {
			t.Errorf("%+v: %s, and then %s", record, digest, again)
		}
		if other, ok := seen[digest]; ok {
			t.Errorf("%+v and %+v have one digest", record, other)
		}
		seen[digest] = record
	}
}

// TestAPartitionThatTakesNothingHoldsUpNoOther of its broker.
func TestAPartitionThatTakesNothingHoldsUpNoOther(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	r := newRigOf(t, s)
	cpu := &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}
	producer := r.newProducer(r.k.Main(), cpu, 0)
	undo := r.depose([]int32{0})
	var futures [2][]flusher.Future
	for i := range 40 {
		key := []byte{byte(i)}
		on := ledger.PartitionOf(key, 2)
		futures[on] = append(futures[on], producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: key}))
		_ = r.k.Sleep(t.Context(), 10*time.Millisecond)
	}
	_ = r.k.Sleep(t.Context(), 2*resend)
	for on, list := range futures {
		for i, future := range list {
			ctx, cancel := r.k.WithTimeout(context.Background(), time.Millisecond)
			if err := future.Wait(ctx); (err == nil) != (on == 1) {
				t.Errorf("record %d for partition %d: %v", i, on, err)
			}
			cancel()
		}
	}
	_ = undo()
	if err := producer.Flush(context.Background()); err != nil || r.offset != 40 {
		t.Errorf("%d records are there, of 40: %v", r.offset, err)
	}
}

// TestWhatIsHeldBack: a partition that is paused though its gate is open is told of, once of each pause; not while
// the gate is closed or has just opened, as much waits as may, or the consumer ends.
func TestWhatIsHeldBack(t *testing.T) {
	r := newRig(t)
	r.poll("at first", 0, assigned)
	ended, told := false, 0
	gates := newInputContract(nil, r.k, 4, nil)
	w := &watchedSource{member: r.member, gates: gates, since: map[int32]time.Time{},
		cfg:    ingest.Config{MaxBatch: 2, BatchGrowth: 2, BytesMax: 10},
		ending: func() bool { return ended }, tell: func(buffer.Shard) { told++ }}
	lasts := func(when string, want int) {
		t.Helper()
		for range 20 { // of 100 ms
			if _, err := w.Poll(t.Context(), 10, 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if told != want {
			t.Fatalf("%s: told %d times, want %d", when, told, want)
		}
		told = 0
	}
	event := func(kind flusher.EventKind) {
		gates.gate(flusher.Event{Kind: kind, Shards: []buffer.Shard{0}})
	}
	lasts("nothing is paused", 0)
	w.Pause(0)
	lasts("nothing asked for that", 1)
	w.Resume(0)
	lasts("it is read again", 0)
	event(flusher.EventGateClosed)
	w.Pause(0)
	lasts("its gate is closed", 0)
	event(flusher.EventGateOpened)
	for range 3 {
		if _, err := w.Poll(t.Context(), 10, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	w.Resume(0)
	lasts("its gate has opened", 0)
	for range 4 {
		r.send()
	}
	lasts("four messages are read", 0)
	w.Pause(0)
	lasts("as many wait as may", 0)
	r.committed[0] = 1
	lasts("one less waits", 1)
	w.Resume(0)
	lasts("it is read once more", 0)
	w.Pause(0)
	w.cfg.BytesMax = 3
	lasts("it is as large as may be", 0)
	w.cfg.BytesMax = 10
	ended = true
	lasts("the consumer ends", 0)
	ended = false
	event(flusher.EventExhausted)
	lasts("its budget is used up", 0)
}

// A commit of less than is committed is told of, and stays without effect; one again is not.
func TestACommitThatGoesBackIsToldOf(t *testing.T) {
	r := newRig(t)
	var told []string
	r.group.tell = func(what string) { told = append(told, what) }
	for range 8 {
		r.send()
	}
	r.poll("first", 8, assigned)
	for _, c := range []struct {
		offset int64
		tells  int
	}{{5, 0}, {5, 0}, {6, 0}, {4, 1}, {6, 1}, {7, 1}} {
		message := flusher.Message{Position: buffer.Position{Offset: c.offset}}
		if err := r.Commit(t.Context(), []flusher.Message{message}); err != nil || len(told) != c.tells {
			t.Errorf("a commit of message %d: %v, told %q", c.offset, err, told)
		}
	}
	if r.committed[0] != 8 {
		t.Errorf("committed up to %d, want 8", r.committed[0])
	}
}

// A commit that was on its way while the partition went and came back is refused: another member may have
// committed more of it by then.
func TestACommitFromBeforeIsRefused(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	undo, err := r.Break(parse(t, "at 1s slow kafka requests by 1m for 1m"))
	if err != nil {
		t.Fatal(err)
	}
	over := r.k.NewCond("the commit")
	var failed error
	done := false
	r.k.Go("commit", func() {
		failed = r.Commit(context.Background(), []flusher.Message{{}})
		done = true
		over.Broadcast()
	})
	_ = r.k.Sleep(t.Context(), time.Second)
	r.Released(0)
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	for !done {
		_ = over.Wait(t.Context())
	}
	if !errors.Is(failed, errNotMember) || r.committed[0] != 0 || r.owners[0] != r.member {
		t.Errorf("the commit: %v; committed up to %d", failed, r.committed[0])
	}
}
