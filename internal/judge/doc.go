// Package judge says from the record of a run what came of it: whether the invariants held,
// whether the scenario's expectations were met, and what the verdict on the whole is. It knows no
// clock, no process, no server and no file, so every world is judged alike.
//
// # What a world owes it
//
// One Evidence, complete when the run is over; Judge reads it and changes nothing. All its times
// are seconds since the start of the load, negative before it; all its durations are seconds.
// Limits of the scenario stay what they are there.
//
//   - Events and Moves, each in the order in which they happened. Moves are all that every
//     supervisor of every life of every consumer reported, from the first start on: an owner
//     without its fence is a violation, also if only its move is missing. A Move's own T counts;
//     the time of the event in it is the world's affair.
//   - Looks, from the load to the end of the drain, as even as they can be: a gap of half a
//     segment's time-out counts as a machine that stood still, and excuses spans that came late.
//     States, processes and closed gates of one look belong to one moment, but for what Slacks
//     grants.
//   - Changes, where the world sees them: a look, at the shards of workers only, right after each transition that
//     may have changed whose shards are whose. They have no part in what goes by how often or how evenly
//     somebody looked.
//   - Balance, after the output was read to its end. If that failed, FinishErr.
//   - Left, asked for when all consumers have ended, the input first: a message is committed after
//     its spans are in the store, so asking the other way round finds spans in neither.
//   - Slacks, what its clock draws out, each with its reason. In virtual time that is next to nothing: the
//     turns that the program itself takes.
//   - Unmeasured, what it has no means to measure, with the reason. What it has the means for, and
//     did not measure, it leaves out: that is for the judge to find.
//   - Errors where something went wrong with the run and not the system (SendErr, HealErr,
//     FinishErr, Left.Err, Interrupted): they make unknown what depends on them.
//
// # What the verdicts mean
//
//	passed        the property held, by everything that was seen
//	violated      it did not; the detail names the first violating event
//	unknown       the run should have told and did not: an answer is missing, or a figure that the
//	              scenario asks for is not there
//	not measured  the world cannot tell; counts as passed
//
// The gravest verdict is that of the run, and its exit code: a violated safety property, a
// violated liveness property, unknown, a missed expectation, passed. What is unknown may hide
// anything, so it weighs more than a missed expectation.
//
// # To add an invariant
//
// Write its rule, in words and as one pure function of the evidence, in a file of its own; enter
// it in invariants, with the exit code of a violation; add plants to invariant_test.go, the
// evidence of a clean run with one thing wrong, at least one of which violates it (a test sees to
// that) and none of which violates another. The moment of the first violation belongs into the
// detail. What excuses a violation must be in the record: a cause that is seen, not a fault that
// is planned. Then the table in docs/architecture.md.
package judge
