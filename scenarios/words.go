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
	if string(text) == "never" {
		*l = Late{}
		return nil
	}
	w := &words{list: strings.Fields(string(text))}
	late := Late{Share: read(w, "a share such as 0.01", options.ParseShare)}
	w.literal("by")
	late.By = w.length()
	w.end()
	if w.err != nil {
		return fmt.Errorf("%q does not say which share of the spans is late and by how much: %w; "+
			"write never, or 0.01 by 300ms", text, w.err)
	}
	*l = late
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (l Late) MarshalText() ([]byte, error) {
	if l.Share == 0 {
		return []byte("never"), nil
	}
	return []byte(options.FormatNumber(l.Share) + " by " + l.By.String()), nil
}
