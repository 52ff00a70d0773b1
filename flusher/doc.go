// Package flusher decides who flushes what, and when: it maps shards to workers, runs a worker's
// loop, and supervises workers.
//
// It is plain blocking sequential Go over the ports of ports.go and status.go, and the same in
// every world. A world supplies the ports; the package itself knows no time, no process, no network
// and no goroutine. What decides is a pure value in a file of its own: [ShardMap], [Budget],
// [Judge], [GateRule], [Drift].
//
// # Worker
//
// [RunWorker] is one worker: one sequence that leases, claims, loads, assembles, produces, waits,
// acknowledges and releases the segments of its shards (worker.go). Its stages overlap by order
// alone: a batch is on its way to Kafka before the acknowledgements of the batch before it are
// awaited. In memory are at most two portions of MaxFlushBytes (or one larger segment each).
//
// What a worker guarantees, and why it holds:
//
//   - The store forgets a segment only after Kafka has acknowledged every record of it. A record
//     whose fate is unknown is produced again, byte for byte.
//   - A worker that lives forgets nothing that it leased. Every step is repeated until the store
//     answers; only Lease is not, because its lost answer may have moved segments where nobody
//     looks for them. The worker then finishes what it knows of and fences itself (worker.refence).
//   - A worker that was superseded touches nothing of the shard any more. All it can do is repeat
//     a record.
//   - One span that no broker takes, or that cannot be written, becomes a dead letter, and stops
//     neither its segment nor the worker.
//   - It reports with each stage, each attempt, each acknowledged record, and each BeatEvery that
//     it waits or pauses. A worker that is silent for MaxUnhealthy is therefore hung, not slow.
//
// What the world owes a worker: a Store and a Producer whose calls return within less than
// MaxUnhealthy, except for Future.Wait; BeatEvery well below MaxUnhealthy.
//
// # Supervisor
//
// A [Supervisor] keeps the workers of the assigned shards alive: judge, count, kill, wait until
// proven stopped, fence, start, wait until healthy (keeper.go). Each worker has a keeper, a
// task of its own that sleeps CheckEvery between two looks, so that judging needs no input and no
// worker waits for another's restart.
//
//   - Shards are fenced only after the worker that had them is proven stopped, also if that was
//     another worker of this supervisor. So there is never more than one live worker per index,
//     nor more than one on a shard, and never more than Processes of them.
//   - The exception is a worker that cannot be killed (Handle.CanKill): one that has not ended
//     StrayAfter after Kill is a stray. Its shards are fenced away from it, it is counted, and
//     more than MaxStrays strays are fatal.
//   - A restart budget of B allows each worker exactly B restarts. The failure after them ends Run
//     with an error that names the worker and every cause. Neither a healthy spell nor an
//     assignment gives any of it back; only a RestartWindow does.
//   - A failure is: a worker that ended without being asked, whatever its exit code; a hang; a
//     start that took twice MaxUnhealthy, or could not be made; a shard that another owner has
//     kept for LostAfter. A store that cannot be fenced is not a failure: that is
//     tried until it works.
//   - A worker that ended because all its shards have another owner is one only after LostAfter,
//     too. Two supervisors that have the same shards assigned, because one hears late of a
//     rebalance, therefore take them from each other ever more rarely, and not until both budgets
//     are used up.
//   - Input pauses ([Supervisor.Closed]) for the shards of a worker that is down after a failure,
//     that is not up after BackpressureAfter, or that was under backpressure for longer; and for
//     all shards while a Redis node is fuller than MaxMemory.
//   - Whatever ends Run, it first ends every worker: asked to finish, killed after ShutdownTimeout
//     (0: at once; NoTimeout: only if it hangs, or FaultTimeout if a fault ends it), and waited for until
//     proven stopped.
//
// A supervisor that was itself frozen does not judge by beats from before it woke.
package flusher
