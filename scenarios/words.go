package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/buffer"
)

// Processes is a number of flusher processes.
type Processes int

// PerShard asks for as many flusher processes as there are shards.
const PerShard Processes = -1

// UnmarshalText reads a number of at least 1, or per-shard.
func (p *Processes) UnmarshalText(text []byte) error {
	if string(text) == "per-shard" {
		*p = PerShard
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of processes: write 1 or more, or per-shard", text)
	}
	*p = Processes(n)
	return nil
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
	if string(text) == "unlimited" {
		*c = Unlimited
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a limit: write 0 or more, or unlimited", text)
	}
	*c = Count(n)
	return nil
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
	case err != nil || !(value >= 0 && value <= rateMax):
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
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// rateMax is more spans per second than any one machine sends.
const rateMax = 100e6

func parsePerSecond(text string) (PerSecond, error) {
	var r PerSecond
	return r, r.UnmarshalText([]byte(text))
}

func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("duration %q has no unit: write %ss for seconds or %sms for milliseconds",
			text, text, text)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 1500ms, 10s or 2m30s", text)
	}
	return d, nil
}

// byteUnits are the units of sizes, the longer ones first where one ends in another.
var byteUnits = []struct {
	name  string
	bytes float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func parseBytes(text string) (buffer.Bytes, error) {
	number, unit := text, 1.0
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !(value >= 0 && value*unit < 1<<60) {
		return 0, fmt.Errorf("%q is not a size: write a number of bytes, or 512KiB, 10MiB, 1GiB", text)
	}
	return buffer.Bytes(value * unit), nil
}

// formatBytes writes what parseBytes reads, with the largest unit that divides it.
func formatBytes(b buffer.Bytes) string {
	for _, u := range byteUnits {
		if n := buffer.Bytes(u.bytes); b >= n && b%n == 0 {
			return strconv.FormatInt(int64(b/n), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
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
	share, by, ok := strings.Cut(string(text), " by ")
	s, err1 := strconv.ParseFloat(share, 64)
	if !ok || err1 != nil || !(s >= 0 && s <= 1) {
		return fmt.Errorf("%q does not say which share of the spans is late and by how much: "+
			"write never, or 0.01 by 300ms", text)
	}
	d, err := parseDuration(strings.TrimSpace(by))
	if err == nil && d <= 0 {
		err = errors.New("late spans must be late by more than 0s")
	}
	if err != nil {
		return err
	}
	*l = Late{Share: s, By: d}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (l Late) MarshalText() ([]byte, error) {
	if l.Share == 0 {
		return []byte("never"), nil
	}
	return []byte(strconv.FormatFloat(l.Share, 'f', -1, 64) + " by " + l.By.String()), nil
}
