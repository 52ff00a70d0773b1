package options

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
)

// text makes a reader return its value in words.
func text[T any](parse func(string) (T, error)) func(string) (string, error) {
	return func(word string) (string, error) {
		v, err := parse(word)
		return fmt.Sprint(v), err
	}
}

func TestWords(t *testing.T) {
	duration, size, share := text(ParseDuration), text(ParseSize), text(ParseShare)
	count := text(Count[int16](1))
	perShard := text(func(word string) (int, error) { return Or(word, "per-shard", -1, Count(1)) })
	cases := []struct {
		parse      func(string) (string, error)
		word, want string // want is the value, or a part of the error after a "!"
	}{
		{duration, "90s", "1m30s"}, {duration, "1m30s", "1m30s"}, {duration, "0", "0s"},
		{duration, "1.5ms", "1.5ms"},
		{duration, "10", "!write 10s for seconds or 10ms for milliseconds"},
		{duration, "1h30", `!"1h30" has no unit`},
		{duration, "2 sec", "!such as 10s, 250ms or 1m30s"}, {duration, "", "!not a duration"},
		{duration, "inf", "!not a duration"},
		{duration, "87600h", "87600h0m0s"}, {duration, "87601h", "!more than ten years: write 87600h0m0s"},
		{text(ParseSignedDuration), "-87601h", "!more than ten years"},
		{text(Between(1, 5)), "5", "5"}, {text(Between(1, 5)), "6", "!write 5 or less"},
		{text(Between(1, 5)), "0", "!write 1 or more"},
		{duration, "-1s", "!negative"}, {text(ParseSignedDuration), "-1s", "-1s"},

		{size, "10485760", "10485760"}, {size, "10MiB", "10485760"}, {size, "512KB", "512000"},
		{size, "512kb", "512000"}, {size, "1.5 KiB", "1536"}, {size, "7b", "7"}, {size, "0", "0"},
		{size, "1e6", "1000000"},
		{size, "10MX", "!512KB, 10MiB"}, {size, "-1", "!not a size"}, {size, "B", "!not a size"},
		{size, "inf", "!not a size"}, {size, "2000000000GiB", "!not a size"},
		{size, "0.3B", "!whole number of bytes"},

		{share, "0.8", "0.8"}, {share, "80%", "0.8"}, {share, "100%", "1"}, {share, "0", "0"},
		{share, "3", "!0.8 or 80%"}, {share, "120%", "!0.8 or 80%"}, {share, "nan", "!0.8 or 80%"},
		{share, "80 %", "!0.8 or 80%"}, {text(ParseNumber), "150%", "1.5"},
		{text(ParseNumber), "inf", "!not a number"}, {text(ParseNumber), "-Infinity", "!not a number"},
		{text(ParseNumber), "NaN%", "!not a number"},

		{count, "1", "1"}, {count, "0", "!write 1 or more"}, {count, "1.5", "!not a count"},
		{count, "40000", "!too large"}, {count, "1_000", "1000"},

		{perShard, "3", "3"}, {perShard, "per-shard", "-1"}, {perShard, "0", "!1 or more, or per-shard"},
	}
	for _, c := range cases {
		got, err := c.parse(c.word)
		if part, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %s, %v, want an error with %q", c.word, got, err, part)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%q: %s, %v, want %s", c.word, got, err, c.want)
		}
	}
}

func TestWhatIsPrintedIsRead(t *testing.T) {
	for _, b := range []buffer.Bytes{0, 1, 999, 1000, 1024, 1536, 512_000, 10 << 20, 3e9, 1<<60 - 512} {
		if got, err := ParseSize(FormatSize(b)); err != nil || got != b {
			t.Errorf("%d prints as %s, which is %d, %v", b, FormatSize(b), got, err)
		}
	}
	for _, d := range []time.Duration{0, 1, 1500 * time.Millisecond, time.Hour} {
		if got, err := ParseDuration(d.String()); err != nil || got != d {
			t.Errorf("%v is read as %v, %v", d, got, err)
		}
	}
	for _, n := range []float64{0, 0.1, 1e-9, 12345.678} {
		if got, err := ParseNumber(FormatNumber(n)); err != nil || got != n {
			t.Errorf("%v prints as %s, which is %v, %v", n, FormatNumber(n), got, err)
		}
	}
}

// TestFormatNumbers: a few as they are, many as what they have in common.
func TestFormatNumbers(t *testing.T) {
	upTo := func(n, step int) (list []int) {
		for i := 0; i < n; i += step {
			list = append(list, i)
		}
		return list
	}
	squares := make([]int, 30)
	for i := range squares {
		squares[i] = i * i
	}
	for want, list := range map[string][]int{
		"": nil, "7": {7}, "0,1,2,3,4,5,6,7": upTo(8, 1), "0-8": upTo(9, 1), "0-1023": upTo(1024, 1),
		"0-1016 by 8": upTo(1024, 8), "0-9,20,30,35": append(upTo(10, 1), 20, 30, 35),
		"5-0 by -1,1-9": append([]int{5, 4, 3, 2, 1}, upTo(10, 1)...),
		"0,1,4,9,16,25,36,49,64,81,100,121,144,169,196,225,... of 30": squares,
	} {
		if got := FormatNumbers(list, ","); got != want {
			t.Errorf("%v is %q, want %q", list, got, want)
		}
	}
}

func TestFormatCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 span": FormatCount(int64(1), "span"), "0 spans": FormatCount(0, "span"),
		"2 processes": FormatCount(2, "process"), "3 batches": FormatCount(uint64(3), "batch"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatReadersSee(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{FormatRate(0), "0"}, {FormatRate(999.5), "1,000"}, {FormatRate(-1234567.4), "-1,234,567"},
		{FormatSizeAbout(0), "0 bytes"}, {FormatSizeAbout(1023), "1023 bytes"},
		{FormatSizeAbout(1536), "1.5 KiB"}, {FormatSizeAbout(5e6), "4.77 MiB"},
		{FormatSizeAbout(3 << 40), "3.07e+03 GiB"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
