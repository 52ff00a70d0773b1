// Package explore searches every interleaving of a small system to its end: who takes the next step,
// where a batch is cut, what is due, which process dies, freezes and wakes, whose answer is lost. What
// runs is the code itself: flusher.RunWorker, ingest.Loop, flusher.Supervisor and memstore.
//
// # How
//
// What a process does next is a function of the answers that its ports have given it. So it is run
// once for each answer in each state (life, on a kernel of its own), and a number stands for it from
// then on (machines): its stack and heap need never be copied. The same goes for the store, which can
// be (stores), and for what came out (outputs). A state of the whole is a list of such numbers, and
// most of the search is looking them up.
//
// Two histories after which a process remembers the same are one state of it (program.memory). What
// that is, is said by hand, for each kind of process, and checked: TestMemoryIsEnough gives answers to
// processes that were taken for one, and wants them to do the same. After a failure, until the process
// is idle again, its whole history stands for it.
//
// # Time
//
// There is none: whatever waits for time may go on as soon as that can change anything. A lease takes
// any segments that the queue names, up to its limit and in any order, or none; a hung worker is one whose
// beat is old. So what is found holds for all clocks and time-outs; and some of it, such as an order of
// deadlines, no clock may show. What depends on how long something takes is not searched.
//
// # Reductions
//
// Symmetry: columns (a partition, its shard, its worker, its traces) differ in names. Everything is
// hashed under each renaming that maps the system to itself, and the least hash is the state's.
//
// Independence: if a process's next steps commute with everything that others can do before it moves,
// and stay possible, only they are looked at (a persistent set); otherwise the steps of one component
// of what shares a shard or trace. All states in which work ends are still reached, and what is wrong
// stays wrong until then. TestWhatIsLocalCommutes tries the pairs.
//
// # Work that never ends
//
// No state is wrong by itself where a worker asks for the same again and again. So once all states are
// known, each must have a way to a state at rest, and one without a fault. That also holds the reductions
// to it: were one component put off for ever by the circles of another, no rest would be reached.
//
// # Files
//
//	life.go, machine.go           processes, as functions of their answers
//	reader.go, worker.go          the ports of ingest loop and worker; supervisor.go those of a supervisor
//	ops.go                        what they ask for, and its words
//	protocol.go, supervision.go   the worlds; of the first choices.go has what can happen, move.go and
//	                              effects.go what follows, wrong.go what must not
//	search.go, explore.go         breadth first; presets, results
//	way.go                        the way to a violation, with choices and states, for a page
package explore
