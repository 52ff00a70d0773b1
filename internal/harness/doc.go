// Package harness runs a scenario on the wall clock: it starts a consumer as cmd/run is one, loads
// it, breaks it, heals it, and judges what came of it.
//
// A run reads like this: open the world's servers; start the consumer and wait until its workers are
// healthy; load, while faults are injected and everything is watched (the safety phase); heal every
// fault and let it drain (the liveness phase); stop it; read the output to its end; judge.
//
//	world     the servers, the network to them, and what can be broken of both
//	fleet     the consumers, each a child process with worker processes of its own
//	sender    the load, open loop; collector: what comes out, into the ledger
//	injector  when which fault happens, and when it ends
//	observer  looks ten times a second; recorder: what happens, as it happens
//
// What is watched is recorded as it happens, and judged afterwards from the record alone, by package
// judge.
package harness
