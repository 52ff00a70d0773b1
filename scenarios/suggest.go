package scenarios

import (
	"strings"

	"sluice/internal/editdistance"
)

// hint returns what to append to an error about an unknown word: the known word that was probably
// meant, and all that are known.
func hint(word string, known []string) string {
	all := strings.Join(known, ", ")
	if near, ok := nearest(word, known); ok {
		return "; did you mean " + near + "? Known: " + all
	}
	return "; known: " + all
}

// nearest returns the known word with the fewest edits from word, if they are few for its length.
func nearest(word string, known []string) (string, bool) {
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := editdistance.Of(strings.ToLower(word), k); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}
