// Package scenarios is the language in which a run is asked for: what the system looks like, which
// load it gets, what is broken while it runs, and what is expected of it. One file means the same
// in every world.
//
// Read turns a YAML file into a Scenario, or says with file, line and column what is wrong and
// what would be right; String prints the Scenario with everything that was left out filled in, and
// Read accepts that again. What has a grammar of its own, a load shape, a spread of sizes, a
// fault, is one line of text that parses back to the same value:
//
//	rate: ramp 1000/s to 20000/s
//	spans_per_trace: uniform 5..40
//	faults:
//	  - at 5s hang worker 1 for 3s
//
// The package decides nothing about time: it holds no clock, opens no file and starts nothing.
package scenarios
