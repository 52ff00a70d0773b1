// Package purity checks two promises of the layout, on the sources themselves, as a test:
//
//   - Imports point one way: cmd -> {sim, worlds} -> harness -> {judge, reports} -> adapters ->
//     {scenarios, consumer} -> flusher -> buffer; production (cmd/run and all that it imports) has
//     nothing of the simulator, the harness, its worlds, or the tests. A world is imported by
//     programs and tests alone, and by no other world.
//   - The packages that decide are pure: the same calls give the same answers in any world and at
//     any time of day. They have no driver, no wall clock, no global randomness, no concurrency
//     of their own, no map order that could reach a decision, and call no port while they hold a
//     lock: a port may wait, or come back for the same lock.
//
// Names are resolved by the type checker, so a renamed or dotted import hides nothing. Test files
// are free. What the type checker cannot see, and this package therefore does not promise: what a
// third-party package does inside, and effects that arrive through a port (which is what ports
// are for).
//
// A loop over a map whose order can reach nothing is marked, with the reason, on its own line or
// on the line above:
//
//	//order-free: adds up
//	for _, n := range counts {
//
// Keys in order need no mark: for _, k := range slices.Sorted(maps.Keys(m)).
package purity
