package scenarios

import (
	"cmp"
	"slices"
	"strings"
)

// Difference is a key of the scenario file that has different values in two scenarios.
type Difference struct {
	// Key is its path, such as workload.rate.
	Key string `json:"key"`
	// A and B are the values in each, as they are printed.
	A string `json:"a"`
	B string `json:"b"`
}

// Differences returns the keys in which two scenarios differ, ordered by path; nil if they are the
// same but for their descriptions.
func Differences(a, b Scenario) []Difference {
	a.Description, b.Description = "", ""
	values := [2]map[string]string{{}, {}}
	for i, s := range []Scenario{a, b} {
		for path, lines := range keysOf(s.String()) {
			_, value, _ := strings.Cut(lines, ":")
			values[i][path] = strings.Join(strings.Fields(value), " ")
		}
	}
	var list []Difference
	for path, value := range values[0] { //order-free: sorted below
		if other := values[1][path]; other != value {
			list = append(list, Difference{path, value, other})
		}
	}
	slices.SortFunc(list, func(x, y Difference) int { return cmp.Compare(x.Key, y.Key) })
	return list
}
