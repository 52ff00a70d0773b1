package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"sluice/internal/options"
)

// Spread is a distribution of sizes:
//
//	20                          always 20
//	uniform 5..40               every size from 5 to 40 is equally likely
//	geometric mean 20 max 500   many small ones, few large ones, none over 500
type Spread struct {
	// Kind of the distribution.
	Kind SpreadKind
	// Low and High are the least and the greatest size.
	Low, High int
	// Mean is the mean of a geometric distribution before it is cut at High.
	Mean float64
}

// SpreadKind is a kind of distribution.
type SpreadKind string

// The kinds of distribution.
const (
	SpreadFixed     SpreadKind = "fixed"
	SpreadUniform   SpreadKind = "uniform"
	SpreadGeometric SpreadKind = "geometric"
)

// Fixed returns the spread that is always n.
func Fixed(n int) Spread { return Spread{Kind: SpreadFixed, Low: n, High: n, Mean: float64(n)} }

// At returns the size for a draw u, uniform in [0, 1).
func (s Spread) At(u float64) int {
	switch s.Kind {
	case SpreadUniform:
		return s.Low + int(u*float64(s.High-s.Low+1))
	case SpreadGeometric:
		if s.Mean <= 1 {
			return 1
		}
		// P(size > k) = (1 - 1/mean)^k, so size = 1 + floor(ln(1-u) / ln(1 - 1/mean)).
		return min(s.High, 1+int(math.Log1p(-u)/math.Log1p(-1/s.Mean)))
	}
	return s.Low
}

// UnmarshalText reads one of the forms above.
func (s *Spread) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	spread, ok := Spread{}, false
	switch {
	case len(words) == 1:
		var n int
		n, ok = natural(words[0])
		spread = Fixed(n)
	case len(words) == 2 && words[0] == "uniform":
		low, high, cut := strings.Cut(words[1], "..")
		l, ok1 := natural(low)
		h, ok2 := natural(high)
		spread = Spread{Kind: SpreadUniform, Low: l, High: h, Mean: float64(l+h) / 2}
		ok = cut && ok1 && ok2 && l <= h
	case len(words) == 5 && words[0] == "geometric" && words[1] == "mean" && words[3] == "max":
		mean, err := strconv.ParseFloat(words[2], 64)
		h, ok2 := natural(words[4])
		spread = Spread{Kind: SpreadGeometric, Low: 1, High: h, Mean: mean}
		ok = err == nil && ok2 && mean >= 1 && mean <= float64(h)
	}
	if !ok {
		return fmt.Errorf("%q is not a spread of sizes: write 20, or uniform 5..40, "+
			"or geometric mean 20 max 500", text)
	}
	*s = spread
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Spread) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the text form.
func (s Spread) String() string {
	switch s.Kind {
	case SpreadUniform:
		return fmt.Sprintf("uniform %d..%d", s.Low, s.High)
	case SpreadGeometric:
		return fmt.Sprintf("geometric mean %s max %d", options.FormatNumber(s.Mean), s.High)
	}
	return strconv.Itoa(s.Low)
}

// natural reads a number of at least 1.
func natural(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1
}
