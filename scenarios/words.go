package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/internal/options"
)

// Processes is a number of flusher processes.
type Processes int

// PerShard asks for as many flusher processes as there are shards.
const PerShard Processes = -1

// UnmarshalText reads a number of at least 1, or per-shard.
func (p *Processes) UnmarshalText(text []byte) error {
	n, err := options.Or(string(text), "per-shard", PerShard, options.Count[Processes](1))
	*p = n
	return err
}

// MarshalText writes what UnmarshalText reads.
func (p Processes) MarshalText() ([]byte, error) {
	if p == PerShard {
		return []byte("per-shard"), nil
	}
	return strconv.AppendInt(nil, int64(p), 10), nil
}

// Count is an upper limit on a number of things.
type Count int64

const (
	// Unlimited is the Count that is never passed.
	Unlimited Count = -1
	// Unset is the Count that a file has left out, and whose default depends on the rest.
	Unset Count = -2
)

// Allows tells whether n is within the limit.
func (c Count) Allows(n int64) bool { return c == Unlimited || n <= int64(c) }

// UnmarshalText reads a number of at least 0, or unlimited.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := options.Or(string(text), "unlimited", Unlimited, options.Count[Count](0))
	*c = n
	return err
}

// MarshalText writes what UnmarshalText reads.
func (c Count) MarshalText() ([]byte, error) {
	if c == Unlimited {
		return []byte("unlimited"), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// PerSecond is a rate of spans per second, written 2000/s.
type PerSecond float64

// UnmarshalText reads a number followed by /s.
func (r *PerSecond) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "/s")
	value, err := strconv.ParseFloat(number, 64)
	switch {
	case err == nil && value > rateMax:
		return fmt.Errorf("%s is more than %v", text, PerSecond(rateMax))
	case err != nil || !(value >= 0):
		return fmt.Errorf("%q is not a rate in spans per second: write 2000/s", text)
	case !ok:
		return fmt.Errorf("rate %q has no unit: write %s/s", text, number)
	}
	*r = PerSecond(value)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (r PerSecond) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the form 2000/s.
func (r PerSecond) String() string {
	return options.FormatNumber(float64(r)) + "/s"
}

// rateMax is more spans per second than any one machine sends.
const rateMax = 100e6

func parsePerSecond(text string) (PerSecond, error) {
	var r PerSecond
	return r, r.UnmarshalText([]byte(text))
}

// Late is how many spans are held back, and for how long: "never", or "0.01 by 300ms". A late span
// that comes after its segment was flushed opens a segment of its own.
type Late struct {
	// Share of the spans, 0 to 1.
	Share float64
	// By is how long a late span is held back.
	By time.Duration
}

// UnmarshalText reads "never" or "SHARE by DURATION".
func (l *Late) UnmarshalText(text []byte) error {
	share, by, err := shareBy(text, "which share of the spans is late", "0.01 by 300ms")
	if err == nil {
		*l = Late{share, by}
	}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (l Late) MarshalText() ([]byte, error) { return writeShareBy(l.Share, l.By), nil }

// Skew is how many traces have messages with wrong timestamps, and how wrong these are: "never", or
// "0.1 by 720h". They are ahead or behind by up to that much, and some say 0 or -1.
type Skew struct {
	// Share of the traces, 0 to 1.
	Share float64
	// By is how wrong a timestamp is at most. What Kafka would refuse is not sent: ahead it is an hour
	// at most.
	By time.Duration
}

// UnmarshalText reads "never" or "SHARE by DURATION".
func (s *Skew) UnmarshalText(text []byte) error {
	share, by, err := shareBy(text, "which share of the traces has wrong timestamps", "0.1 by 720h")
	if err == nil {
		*s = Skew{share, by}
	}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (s Skew) MarshalText() ([]byte, error) { return writeShareBy(s.Share, s.By), nil }

// shareBy reads "never" or "SHARE by DURATION".
func shareBy(text []byte, what, example string) (share float64, by time.Duration, err error) {
	if string(text) == "never" {
		return 0, 0, nil
	}
	w := &words{list: strings.Fields(string(text))}
	share = read(w, "a share such as 0.01", options.ParseShare)
	w.literal("by")
	by = w.length()
	w.end()
	if w.err != nil {
		return 0, 0, fmt.Errorf("%q does not say %s and by how much: %w; write never, or %s", text,
			what, w.err, example)
	}
	return share, by, nil
}

func writeShareBy(share float64, by time.Duration) []byte {
	if share == 0 {
		return []byte("never")
	}
	return []byte(options.FormatNumber(share) + " by " + by.String())
}
