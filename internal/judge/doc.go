// Package judge says from the record of a run what came of it: whether the invariants held, whether
// the scenario's expectations were met, and what the verdict on the whole is.
//
// Each invariant is one pure function in a file of its own, with a test that plants a fault in a
// record.
package judge
