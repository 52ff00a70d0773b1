// Package diff says what differs between two sets of runs: event by event where runs are
// deterministic, and by their figures where they are not.
//
// A figure of a set is a sample: one value per repeat. What a single run has of it within itself is
// correlated, so it is cut into batches that are long enough to be independent, and the mean of each
// is a value (see batches).
//
// Two samples are compared by the shift between them (Hodges and Lehmann's estimate with its exact
// interval), and by two tests: Mann and Whitney's rank test, which sees a shift, and Kolmogorov and
// Smirnov's, which also sees a set that has split in two around the same median. The smaller p of
// both, doubled, is that of the figure; over all figures that are judged, p is corrected by Holm's
// method. So all figures together raise a false alarm with a probability of at most Options.Alpha.
//
// A difference that is certain is not yet one that matters: that is for the rules to say, which allow
// each figure a change for the worse, and are broken if the near end of the interval is beyond that. A set
// that is constant is a sample like any other: if both are, and differ, that is a difference.
//
// The package is pure: it reads no file, and draws no random number.
package diff
