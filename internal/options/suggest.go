package options

import "strings"

const (
	// suggestedMax is how many words a suggestion names at most.
	suggestedMax = 3
	// ListedMax is how many words an error lists: nobody reads more to find one.
	ListedMax = 40
)

// Hint returns what to append to an error about an unknown word: the known word that was probably
// meant, and all that are known, unless they are very many.
func Hint(word string, known []string) string {
	near := DidYouMean(word, known)
	switch all := strings.Join(known, ", "); {
	case len(known) > ListedMax:
		return near
	case near == "":
		return "; known: " + all
	default:
		return near + " Known: " + all
	}
}

// DidYouMean returns "; did you mean ...?" with the words of Near, or "" if there are none.
func DidYouMean(word string, known []string) string {
	if near := Near(word, known); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}

// Near returns the known words that begin with word or, if there are none or many, the one that is
// the fewest edits away, if they are few for its length.
func Near(word string, known []string) []string {
	word = strings.ToLower(word)
	var longer, best []string
	least := max(2, len(word)/3) + 1
	for _, k := range known {
		lower := strings.ToLower(k)
		if strings.HasPrefix(lower, word) {
			longer = append(longer, k)
		}
		if d := edits(word, lower); d < least {
			best, least = []string{k}, d
		}
	}
	if len(longer) > 0 && len(longer) <= suggestedMax {
		return longer
	}
	return best
}

// edits is the Levenshtein distance of two words: the least number of letters to insert, delete
// or replace to make one the other.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
