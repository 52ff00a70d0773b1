// Package harness runs a scenario in a world and judges what came of it: it loads the system, breaks
// it, and heals it. It keeps the run and nothing else, and is pure.
//
// A run reads like this: open the world; start the consumer and wait until its workers are healthy;
// load, while faults are injected and everything is watched (the safety phase); heal every fault and
// let it drain (the liveness phase); stop it; read the output to its end; judge.
//
//	World      where a scenario runs, and what can happen there
//	System     one run's consumers and servers, and the load on them; its time is the run's
//	Sink       hears of what is sent, what comes out, and what happens
//	injector   when which fault happens, and when it ends
//	observer   looks ten times a second; recorder: what happens, as it happens
//
// What is watched is recorded as it happens, and judged afterwards from the record alone, by package
// judge. Package rundir writes the files of a run's directory when all is over.
package harness
