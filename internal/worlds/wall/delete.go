package wall

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/internal/harness"
	"sluice/scenarios"
)

// deleteRecords deletes what the input topic holds, or a partition of it, read or not. A Kafka that does
// not answer is asked again later.
func (s *System) deleteRecords(f scenarios.Fault) error {
	err := s.Administer(context.Background(), func(ctx context.Context, admin *kadm.Client) error {
		committed, err := s.committed(ctx)
		if err != nil {
			return err
		}
		ends, err := admin.ListEndOffsets(ctx, s.input)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			return fmt.Errorf("find the end of the input: %w", err)
		}
		until := ends.Offsets()
		until.KeepFunc(func(o kadm.Offset) bool {
			return f.Target.Kind != scenarios.TargetPartition || int(o.Partition) == f.Target.N
		})
		answers, err := admin.DeleteRecords(ctx, until)
		if err == nil {
			err = answers.Error()
		}
		if err != nil {
			return fmt.Errorf("delete the messages of topic %s: %w", s.input, err)
		}
		until.Each(func(o kadm.Offset) {
			from := int64(-1)
			if done, ok := committed.Lookup(o.Topic, o.Partition); ok {
				from = done.At
			}
			s.setup.Sink.Ledger.Deleted(o.Partition, from, o.At)
		})
		return nil
	})
	if err != nil {
		return errors.Join(harness.ErrBusy, err)
	}
	return nil
}
