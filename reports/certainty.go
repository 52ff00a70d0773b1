package reports

// Certainty is the chance that a run still fails, by the moment from which on chance is drawn anew.
type Certainty struct {
	// Violated is what fails.
	Violated string           `json:"violated"`
	Points   []CertaintyPoint `json:"points"`
	// Done is false if the search was ended before.
	Done bool `json:"done"`
}

// CertaintyPoint is how many continuations from a moment fail.
type CertaintyPoint struct {
	T     float64 `json:"t"`
	Runs  int     `json:"runs"`
	Fails int     `json:"fails"`
}
