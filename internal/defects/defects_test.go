package defects

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/portfault"
)

// TestPlantedCrosses to another process as JSON, functions and all; nothing crosses as nothing.
func TestPlantedCrosses(t *testing.T) {
	faults, err := portfault.Parse("lose store.ack every 10, slow producer.produce by 50ms")
	if err != nil {
		t.Fatal(err)
	}
	for _, planted := range []Planted{
		{}, {Defect: ackFirst}, {Defect: killSkipped, Faults: faults}, {Faults: faults},
	} {
		text, err := json.Marshal(planted)
		if err != nil {
			t.Fatal(err)
		}
		var back Planted
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.Defect.Name != planted.Defect.Name || !slices.Equal(back.Faults, planted.Faults) ||
			back.Any() != planted.Any() ||
			(back.Defect.worker == nil) != (planted.Defect.worker == nil) ||
			(back.Defect.settings == nil) != (planted.Defect.settings == nil) ||
			(back.Defect.consumer == nil) != (planted.Defect.consumer == nil) {
			t.Errorf("%s is read back as %+v", text, back)
		}
	}
	var back Planted
	err = json.Unmarshal([]byte(`{"Defect":"kill-skiped"}`), &back)
	if err == nil || !strings.Contains(err.Error(), "did you mean kill-skipped?") {
		t.Errorf("an unknown defect: %v", err)
	}
}

// TestEachDefectWrapsSomething, and has a name by which it is found.
func TestEachDefectWrapsSomething(t *testing.T) {
	for _, d := range All() {
		found, err := Find(d.Name)
		if err != nil || found.Name != d.Name || d.consumer == nil && d.worker == nil && d.settings == nil {
			t.Errorf("%s is found as %q, %v", d.Name, found.Name, err)
		}
	}
}

// TestEachOfTheMuseumIsExplored, or says why not.
func TestEachOfTheMuseumIsExplored(t *testing.T) {
	for _, d := range Museum() {
		if (d.Explored == "") == (d.Unexplored == "") {
			t.Errorf("%s is explored by %q, and not, because %q: want one of both", d.Name, d.Explored,
				d.Unexplored)
		}
	}
}

// TestDeleteBeforeQueue: what is leased is named by nothing any more, though the store holds it.
func TestDeleteBeforeQueue(t *testing.T) {
	for _, planted := range []Planted{{}, {Defect: deleteBeforeQueue}} {
		ctx, kept := t.Context(), memstore.New(buffer.DefaultOptions())
		ports := flusher.WorkerPorts{Store: kept}
		planted.Worker(&ports, nil)
		id, trace := buffer.SpanID{1}, buffer.TraceKey{Project: 1}
		attached, err := kept.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}},
			[]buffer.TraceBatch{{TraceKey: trace, Subtrees: []buffer.Subtree{{Parent: id,
				Spans: []buffer.Span{{TraceKey: trace, ID: id, Parent: id, Root: true, Size: 1}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		err = kept.Enqueue(ctx, 0, buffer.QueueUpdate{
			Clock: 1, Wall: 1, Due: []buffer.Due{{Generation: attached[0].Live[0].Generation, Deadline: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		fenced, err := kept.Fence(ctx, 0, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		leased, err := ports.Store.Lease(ctx, fenced.Owner, 2, 10)
		if err != nil || len(leased.Due) != 1 {
			t.Fatalf("leased %+v, %v", leased, err)
		}
		left, err := kept.Leftovers(ctx)
		if err != nil || len(left.Held) != 1 || left.Named() == planted.Any() {
			t.Errorf("with %q the store holds %v, %v", planted.Defect.Name, left, err)
		}
	}
}
