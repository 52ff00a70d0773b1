// Package consumer is one member of the group, whole: the ingest loop, the supervisor of the
// workers, and the bounded shutdown of both. It is the same in every world.
//
//	input topic -> ingest loop -> store -> workers -> output topic
//	                    ^                     |
//	                    +---- supervisor <----+
//	         which shards pause      status, end
//
// Like the packages below it, it is plain blocking Go over ports: it starts no goroutine, and to
// wait for the end of a context is to sleep on the Clock with that context. Contexts that it makes
// end by a call only (WithCancel), never by a timer, so that an event loop can run it.
//
// What the world owes it: a Source that has joined its group, or will; Spawner, Store and the rest
// as the packages flusher and ingest say; and KillWorkers, for the time when nothing is waited for.
package consumer
