// Package harness runs a scenario on the wall clock: it starts the pipeline as cmd/run does, loads
// it, breaks it, heals it, and judges what came of it.
//
// A run reads like this: open the world's servers; open the pipeline and wait until its workers are
// healthy; load, while faults are injected and everything is watched (the safety phase); let it
// drain with the faults over (the liveness phase); stop it; read the output to its end; judge.
//
// What is watched is recorded as it happens, and judged afterwards from the record alone: each
// invariant is one pure function in a file of its own, with a test that plants a fault in a record.
package harness
