package pipeline

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/internal/kafkaio"
)

// outlookWindow is how far back the present slope of something looks: longer than a segment stays by
// default, since memory goes up and down with that.
const outlookWindow = 3 * time.Minute

// slopes are how fast some numbers grow at present. The zero value is ready.
type slopes struct {
	mu   sync.Mutex
	seen map[string]*series
	// read is when all of a partition was read, the last time that it was.
	read map[int32]time.Time
}

// series are the values of one number within the window, by seconds since the first of all.
type series struct {
	began         time.Time
	times, values []float64
}

// grows notes a value and returns by how much it grows in a second, by least squares over the window;
// 0 until there are two values.
func (s *slopes) grows(name string, at time.Time, value float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]*series)
	}
	one := s.seen[name]
	if one == nil {
		one = &series{began: at}
		s.seen[name] = one
	}
	now := at.Sub(one.began).Seconds()
	old, _ := slices.BinarySearch(one.times, now-outlookWindow.Seconds())
	one.times = append(slices.Delete(one.times, 0, old), now)
	one.values = append(slices.Delete(one.values, 0, old), value)
	if len(one.times) < 2 || one.times[0] == now {
		return 0
	}
	_, slope := stat.LinearRegression(one.times, one.values, nil, false)
	return slope
}

// allRead returns when all of a partition was read, which it may be now; zero if that was not seen.
func (s *slopes) allRead(number int32, is bool, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read == nil {
		s.read = make(map[int32]time.Time)
	}
	if is {
		s.read[number] = now
	}
	return s.read[number]
}

// NodeOutlook is how full a Redis node is, and how soon it may be.
type NodeOutlook struct {
	buffer.NodeMemory
	// FullIn is when it reaches its limit at the present slope, if it fills at all.
	FullIn time.Duration
	Fills  bool
}

// Nodes asks every Redis node how full it is. How fast it fills is known from the second time on. If some
// nodes do not answer, it returns the others and an error.
func (p *Pipeline) Nodes(ctx context.Context) ([]NodeOutlook, error) {
	nodes, err := p.store.Memory(ctx)
	now := time.Now()
	list := make([]NodeOutlook, len(nodes))
	for i, node := range nodes {
		list[i] = p.slopes.fills(node, now)
	}
	return list, err
}

func (s *slopes) fills(node buffer.NodeMemory, now time.Time) NodeOutlook {
	o := NodeOutlook{NodeMemory: node}
	slope := s.grows("memory of "+node.Node, now, float64(node.Used))
	if node.Max > 0 && slope > 0 {
		o.FullIn, o.Fills = lasts(float64(node.Max-node.Used), slope), true
	}
	return o
}

// lasts returns how long something lasts at a rate per second: 0 if nothing of it is left.
func lasts(left, rate float64) time.Duration {
	return time.Duration(max(0, min(left/rate, foreverSeconds)) * float64(time.Second))
}

// foreverSeconds is more than a duration of interest, and fits one.
const foreverSeconds = 1e9

// Unread is what has not been read of a partition, as far as the group has committed.
type Unread struct {
	kafkaio.Unread
	// Age is that of the oldest unread message: the timestamp of the last batch stands for its own, or
	// when nothing was unread the last time, if that is later. 0 if nothing is unread. Aged is false if
	// something is, but no batch was read yet, so that its age is not known.
	Age  time.Duration
	Aged bool
	// ExpiresIn is when Kafka may delete the oldest, by the topic's retention or by how fast the log's
	// start moves at present, whichever is first. Expires is false if neither is to be feared. The retention
	// counts from a message's timestamp, which is taken to be as late as those of the last batch were.
	ExpiresIn time.Duration
	Expires   bool
}

// Unread asks Kafka what has not been read of the assigned partitions.
func (p *Pipeline) Unread(ctx context.Context) (map[int32]Unread, error) {
	asked, retention, err := p.source.Unread(ctx)
	if err != nil {
		return nil, err
	}
	now, last := time.Now(), lastRead(p.Counters().Partitions)
	list := make(map[int32]Unread, len(asked))
	for _, number := range slices.Sorted(maps.Keys(asked)) {
		list[number] = p.slopes.expires(number, asked[number], last[number], retention, now)
	}
	return list, nil
}

// batchTime is when the last batch of a partition was written, by its messages' timestamps. The zero value:
// none was read yet.
type batchTime struct {
	clock time.Time
	late  time.Duration // by which it was read later than that
}

// lastRead returns the last batch of each partition of which one was read.
func lastRead(partitions []ingest.PartitionCounters) map[int32]batchTime {
	last := make(map[int32]batchTime)
	for _, c := range partitions {
		if c.Wall != 0 {
			last[c.Partition] = batchTime{time.UnixMilli(int64(c.Clock)), max(0, c.Wall.Sub(c.Clock))}
		}
	}
	return last
}

// Committed returns the offsets that the group has committed of the assigned partitions, where it has any.
func (p *Pipeline) Committed() map[int32]int64 { return p.source.Committed() }

// expires tells when what is unread of a partition is deleted.
func (s *slopes) expires(
	number int32, u kafkaio.Unread, last batchTime, retention time.Duration, now time.Time,
) Unread {
	o := Unread{Unread: u}
	slope := s.grows("log start of partition "+strconv.Itoa(int(number)), now, float64(u.Start))
	since, read := s.allRead(number, u.Messages() == 0, now), !last.clock.IsZero()
	if o.Aged = read || u.Messages() == 0; u.Messages() == 0 {
		return o
	}
	if read {
		o.Age = max(0, now.Sub(later(last.clock, since)))
	}
	if read && retention != kafkaio.KeptForever {
		// What has come since all was read may be old: senders that were cut off keep the timestamps.
		written := later(last.clock, since.Add(-last.late))
		o.ExpiresIn, o.Expires = max(0, retention-max(0, now.Sub(written))), true
	}
	if slope > 0 {
		in := lasts(float64(u.Next-u.Start), slope)
		if !o.Expires || in < o.ExpiresIn {
			o.ExpiresIn, o.Expires = in, true
		}
	}
	return o
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
