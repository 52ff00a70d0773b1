package flusher

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/buffer"
)

// Damaged is a generation that the store cannot read: its trace is damaged, or was written by a later
// version. It stays where it is.
type Damaged struct {
	Shard buffer.Shard
	buffer.Generation
	// Step is what failed, claim, load or ack, and Cause why.
	Step  Stage
	Cause error
	// Again is when it is tried again, in the shard's clock; 0: by the next owner of the shard. That is so of
	// an ack: all of it is in Kafka.
	Again time.Duration
}

// damagedAgain is how long it rests: what is damaged mostly stays so, and each try takes some calls; but a
// later version that takes the shard over should not wait long for what only it can read.
const damagedAgain = time.Minute

// apart asks about the segments of a part again, one half after the other, because the store cannot read one
// of them: that one is told to damaged, and all others go on.
func apart[T any](
	w *worker, stage Stage, part []*segment, ask func(*shard, []*segment) (T, error),
	take func(*shard, []*segment, T) error, damaged func(*segment, Stage, error) error, cause error,
) error {
	n := len(part)
	if n == 1 {
		return damaged(part[0], stage, cause)
	}
	for _, half := range [][]*segment{part[:n/2], part[n/2:]} {
		if half[0].shard.lost {
			return nil
		}
		if err := perShard(w, stage, half, ask, take, damaged); err != nil {
			return err
		}
	}
	return nil
}

// setAside puts a segment that the store cannot read back into the queue, behind what is due. It is neither
// released, so that nothing is lost, nor a reason to end: whoever took the shard over would end of it, too.
func (w *worker) setAside(seg *segment, stage Stage, cause error) error {
	s := seg.shard
	w.tellDamaged(seg, stage, cause, damagedAgain)
	seg.Deadline = max(seg.Deadline, w.now(s)).Add(damagedAgain)
	s.aside = max(s.aside, seg.Deadline)
	// The clock may have gone back since all was taken: that look says nothing of what is put back now.
	s.all = min(s.all, w.now(s))
	return w.letGo(s, buffer.Release{Back: []buffer.Due{seg.Due}})
}

// leave lets go of a segment that Kafka has, and the store cannot delete. It stays leased, where nobody looks for
// it before the shard is fenced: from the queue it would be taken, and produced, again and again. That is a
// trouble for as long as the worker has the shard.
func (w *worker) leave(seg *segment, stage Stage, cause error) error {
	s := seg.shard
	w.tellDamaged(seg, stage, cause, 0)
	seg.left = true
	s.holding--
	s.left++
	s.aside = never
	return nil
}

// never is after every deadline.
const never buffer.Instant = math.MaxInt64

// tellDamaged says that the store cannot read a segment.
func (w *worker) tellDamaged(seg *segment, stage Stage, cause error, again time.Duration) {
	s := seg.shard
	w.fails(unreadable(s), stage, fmt.Errorf("segment %v of trace %d:%v: %w",
		seg.Segment, seg.Project, seg.Trace, cause))
	if w.ports.Damaged != nil {
		w.ports.Damaged(Damaged{
			Shard: s.owner.Shard, Generation: seg.Generation, Step: stage, Cause: cause, Again: again,
		})
	}
}

// unreadable is the trouble that some segment of a shard cannot be read.
func unreadable(s *shard) Operation {
	return Operation{Name: "damaged", Partition: int32(s.owner.Shard)}
}

// readable ends that trouble once all that was set aside has been due and taken since, and could be read: what
// could not is set aside for later than that. It is called before a shard is looked at again.
func (w *worker) readable(s *shard) {
	if s.aside > 0 && s.all >= s.aside {
		w.troubles.Works(unreadable(s))
		s.aside = 0
	}
}

// isDamaged tells whether the store cannot read one of the generations that it was asked about.
func isDamaged(err error) bool { return errors.Is(err, buffer.ErrDamaged) }
