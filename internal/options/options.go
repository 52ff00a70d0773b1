// Package options is the vocabulary in which options are written, the same in a scenario, a
// configuration file, an environment variable and a flag: durations, sizes, shares, counts, and
// the words that stand for a value, such as off. An error says what would be right.
package options

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/buffer"
)

// Off is the word that switches an option off, where that has a meaning.
const Off = "off"

// Or reads the word as the value that it stands for, and everything else with parse, whose error
// then names the word, too.
func Or[T any](text, word string, value T, parse func(string) (T, error)) (T, error) {
	if text == word {
		return value, nil
	}
	v, err := parse(text)
	if err != nil {
		err = fmt.Errorf("%w, or %s", err, word)
	}
	return v, err
}

// Longest is the longest duration that can be written: sums and multiples of a few do not overflow.
const Longest = 10 * 365 * 24 * time.Hour

// ParseDuration reads "60s", "1m30s", "250ms" or "0". time.Duration.String is its inverse.
func ParseDuration(text string) (time.Duration, error) {
	d, err := ParseSignedDuration(text)
	if err == nil && d < 0 {
		return 0, fmt.Errorf("%q is negative: write 0s or more", text)
	}
	return d, err
}

// ParseSignedDuration also reads "-30s".
func ParseSignedDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && -Longest <= d && d <= Longest:
		return d, nil
	case err == nil:
		return 0, fmt.Errorf("%q is more than ten years: write %s or less", text, Longest)
	}
	if _, err := time.ParseDuration(text + "s"); err == nil {
		return 0, fmt.Errorf("duration %q has no unit: write %ss for seconds or %sms for milliseconds",
			text, text, text)
	}
	return 0, fmt.Errorf("%q is not a duration: write a number with a unit, "+
		"such as 10s, 250ms or 1m30s", text)
}

// sizeUnits has the longer units first where one ends in another.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// ParseSize reads "10MiB", "512KB" or "10485760"; a unit may be in upper or lower case.
func ParseSize(text string) (buffer.Bytes, error) {
	number, unit := text, 1.0
	for _, u := range sizeUnits {
		if at := len(text) - len(u.name); at >= 0 && strings.EqualFold(text[at:], u.name) {
			number, unit = strings.TrimSpace(text[:at]), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	size := n * unit
	switch {
	case err != nil || !(size >= 0 && size < 1<<60):
		return 0, fmt.Errorf("%q is not a size: write a number of bytes, or 512KB, 10MiB, 1GiB", text)
	case size != math.Trunc(size):
		return 0, fmt.Errorf("%q is not a whole number of bytes", text)
	}
	return buffer.Bytes(size), nil
}

// FormatSize writes what ParseSize reads, with the largest unit that divides it.
func FormatSize(b buffer.Bytes) string {
	for _, u := range sizeUnits {
		if n := buffer.Bytes(u.bytes); b >= n && b%n == 0 {
			return strconv.FormatInt(int64(b/n), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// FormatSizeAbout writes a size with three digits, in words for a reader: "1.5 GiB", "800 bytes".
func FormatSizeAbout(bytes float64) string {
	for _, u := range sizeUnits {
		if strings.HasSuffix(u.name, "iB") && bytes >= u.bytes {
			return fmt.Sprintf("%.3g %s", bytes/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%.0f bytes", bytes)
}

// ParseNumber reads "0.8" or "80%", nothing that is no finite number.
func ParseNumber(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a number without a unit: write for example 0.8 or 80%%", text)
	}
	if percent {
		n /= 100
	}
	return n, nil
}

// FormatNumber writes what ParseNumber reads.
func FormatNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// FormatGrouped writes a whole number with a separator between thousands.
func FormatGrouped(n int64, separator string) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + separator + text[at:]
	}
	return text
}

// FormatRate writes the nearest whole number, with commas between thousands.
func FormatRate(v float64) string { return FormatGrouped(int64(math.Round(v)), ",") }

// FormatNumbers lists numbers: "0,4,8", or if they are more than a few "0-15,20", "0-1016 by 8" for those
// that are equally far apart. A list that is too long to read ends in "... of 1024".
func FormatNumbers(list []int, separator string) string {
	const few, partsMax, evenMin = 8, 16, 3
	all := len(list)
	var parts []string
	for len(list) > 0 {
		if len(parts) == partsMax {
			parts = append(parts, fmt.Sprintf("... of %d", all))
			break
		}
		part, n := strconv.Itoa(list[0]), 1
		if even := evenly(list); all > few && even >= evenMin {
			n = even
			part = fmt.Sprintf("%d-%d", list[0], list[n-1])
			if apart := list[1] - list[0]; apart != 1 {
				part += fmt.Sprintf(" by %d", apart)
			}
		}
		parts, list = append(parts, part), list[n:]
	}
	return strings.Join(parts, separator)
}

// evenly returns how many numbers at the begin of a list are equally far apart.
func evenly(list []int) int {
	n := 1
	for n < len(list) && list[n]-list[n-1] == list[1]-list[0] {
		n++
	}
	return n
}

// FormatCount counts things: "1 restart", "2 processes".
func FormatCount[N int | int64 | uint64](n N, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "s"), strings.HasSuffix(thing, "ch"):
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// ParseShare reads a number from 0 to 1.
func ParseShare(text string) (float64, error) {
	n, err := ParseNumber(text)
	if err != nil || n < 0 || n > 1 {
		return 0, fmt.Errorf("%q is not a share: write for example 0.8 or 80%%", text)
	}
	return n, nil
}

// Between returns the reader of whole numbers from low to high.
func Between(low, high int) func(text string) (int, error) {
	count := Count(low)
	return func(text string) (int, error) {
		n, err := count(text)
		if err == nil && n > high {
			err = fmt.Errorf("%q is too many: write %d or less", text, high)
		}
		return n, err
	}
}

// Count returns the reader of whole numbers of at least low.
func Count[T ~int | ~int16 | ~int64](low T) func(text string) (T, error) {
	return func(text string) (T, error) {
		n, err := strconv.ParseInt(text, 0, 64)
		switch {
		case err != nil || n < int64(low):
			return 0, fmt.Errorf("%q is not a count: write %d or more", text, low)
		case int64(T(n)) != n:
			return 0, fmt.Errorf("%q is too large for this count", text)
		}
		return T(n), nil
	}
}
