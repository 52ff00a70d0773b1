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
//	mix 50% 1, 50% 2..10        half of them 1, the others 2 to 10, each equally likely
type Spread struct {
	// Kind of the distribution.
	Kind SpreadKind
	// Low and High are the least and the greatest size.
	Low, High int
	// Mean is the mean of a geometric distribution before it is cut at High.
	Mean float64
	// Parts of a mix, in the order in which they were written.
	Parts []SpreadPart
}

// SpreadPart is a part of a mix: a share of all draws, from 0 to 1, with sizes from Low to High.
type SpreadPart struct {
	Share     float64
	Low, High int
}

// SpreadKind is a kind of distribution.
type SpreadKind string

// The kinds of distribution.
const (
	SpreadFixed     SpreadKind = "fixed"
	SpreadUniform   SpreadKind = "uniform"
	SpreadGeometric SpreadKind = "geometric"
	SpreadMix       SpreadKind = "mix"
)

// Fixed returns the spread that is always n.
func Fixed(n int) Spread { return Spread{Kind: SpreadFixed, Low: n, High: n, Mean: float64(n)} }

// At returns the size for a draw u, uniform in [0, 1).
func (s Spread) At(u float64) int {
	switch s.Kind {
	case SpreadUniform:
		return uniform(s.Low, s.High, u)
	case SpreadGeometric:
		if s.Mean <= 1 {
			return 1
		}
		// P(size > k) = (1 - 1/mean)^k, so size = 1 + floor(ln(1-u) / ln(1 - 1/mean)).
		return min(s.High, 1+int(math.Log1p(-u)/math.Log1p(-1/s.Mean)))
	case SpreadMix:
		last := len(s.Parts) - 1
		for _, p := range s.Parts[:last] {
			if u < p.Share {
				return uniform(p.Low, p.High, u/p.Share)
			}
			u -= p.Share
		}
		p := s.Parts[last]
		return uniform(p.Low, p.High, min(u/p.Share, oneBelow))
	}
	return s.Low
}

// oneBelow is the greatest draw: shares add up to 1 but for their rounding.
var oneBelow = math.Nextafter(1, 0)

func uniform(low, high int, u float64) int { return low + int(u*float64(high-low+1)) }

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
		spread = Spread{Kind: SpreadUniform}
		spread.Low, spread.High, ok = sizes(words[1])
		ok = ok && strings.Contains(words[1], "..")
		spread.Mean = float64(spread.Low+spread.High) / 2
	case len(words) == 5 && words[0] == "geometric" && words[1] == "mean" && words[3] == "max":
		mean, err := strconv.ParseFloat(words[2], 64)
		h, ok2 := natural(words[4])
		spread = Spread{Kind: SpreadGeometric, Low: 1, High: h, Mean: mean}
		ok = err == nil && ok2 && mean >= 1 && mean <= float64(h)
	case len(words) > 1 && words[0] == "mix":
		var err error
		if spread, err = parseMix(strings.Join(words[1:], " ")); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		ok = true
	}
	if !ok {
		return fmt.Errorf("%q is not a spread of sizes: write 20, or uniform 5..40, "+
			"or geometric mean 20 max 500, or mix 50%% 1, 50%% 2..10", text)
	}
	*s = spread
	return nil
}

// parseMix reads the parts of a mix, "50% 1, 50% 2..10".
func parseMix(text string) (Spread, error) {
	spread, all := Spread{Kind: SpreadMix, Low: math.MaxInt}, 0.0
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) != 2 {
			return Spread{}, fmt.Errorf("part %q of the mix is not a share and a size: write 50%% 2..10",
				strings.TrimSpace(part))
		}
		share, err := options.ParseShare(words[0])
		low, high, ok := sizes(words[1])
		switch {
		case err != nil || share <= 0 || share > 1:
			return Spread{}, fmt.Errorf("share %q of the mix must be over 0 and up to 100%%", words[0])
		case !ok:
			return Spread{}, fmt.Errorf("size %q of the mix must be such as 20 or 5..40", words[1])
		}
		spread.Parts = append(spread.Parts, SpreadPart{Share: share, Low: low, High: high})
		spread.Low, spread.High = min(spread.Low, low), max(spread.High, high)
		spread.Mean += share * float64(low+high) / 2
		all += share
	}
	if math.Abs(all-1) > 1e-9 {
		return Spread{}, fmt.Errorf("the shares of the mix add up to %s%%: they must make 100%%",
			options.FormatNumber(math.Round(all*1e8)/1e6))
	}
	return spread, nil
}

// sizes reads one size, or a range of them.
func sizes(text string) (low, high int, ok bool) {
	first, second, isRange := strings.Cut(text, "..")
	low, ok = natural(first)
	if !isRange {
		return low, low, ok
	}
	high, ok2 := natural(second)
	return low, high, ok && ok2 && low <= high
}

// MarshalText writes what UnmarshalText reads.
func (s Spread) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the text form.
func (s Spread) String() string {
	switch s.Kind {
	case SpreadMix:
		parts := make([]string, len(s.Parts))
		for i, p := range s.Parts {
			size := strconv.Itoa(p.Low)
			if p.High > p.Low {
				size += ".." + strconv.Itoa(p.High)
			}
			// Not 7.000000000000001%: a share was read as a number of percent.
			percent := math.Round(p.Share*1e10) / 1e8
			parts[i] = options.FormatNumber(percent) + "% " + size
		}
		return "mix " + strings.Join(parts, ", ")
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
