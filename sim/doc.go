// Package sim is the virtual world: the same consumer, workers and harness as everywhere, on a clock
// that jumps from one event to the next. It needs nothing but Go, and the same scenario and seed give
// the same run, event by event.
//
//	World, System   the world as the harness knows it
//	member          one life of a consumer: a process of the kernel, the ports around it
//	spawner         its workers, each a child process
//	redis           one server thread over the reference store, at the end of a link
//	kafka           topics, the group and its members, producers; at the end of a link, too
//	link            a network that delays, cuts and swallows
//	Costs           what steps take
//
// docs/simulation.md says what is modelled and what is not.
package sim
