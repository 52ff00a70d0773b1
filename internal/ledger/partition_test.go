package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAKeyHasOnePartition compares the ledger's own choice with that of the client, and moves a
// record and a letter to another one.
func TestAKeyHasOnePartition(t *testing.T) {
	s := newSystem()
	s.ledger.Partitions = 7
	client := kgo.StickyKeyPartitioner(nil).ForTopic("out")
	right := func(r Record) Record {
		r.Partition = int32(client.Partition(&kgo.Record{Key: r.Key}, s.ledger.Partitions))
		return r
	}
	for length := range 40 { // also those that are no multiple of the hash's word
		r := right(Record{Key: []byte("0123456789abcdefghijklmnopqrstuvwxyz\xff\xfe\xfd\x80")[:length]})
		if at, ok := s.ledger.rightPlace(&r); length > 0 && !ok {
			t.Errorf("%q: partition %d, the client says %d", r.Key, at, r.Partition)
		}
	}
	s.send(0)
	s.ledger.SentBad(3, 0)
	output, letter := right(s.record(0, 0, places(0, 19)...)), right(s.bad(0, 3))
	s.ledger.Output(output)
	s.ledger.DeadLetter(letter)
	expectFindings(t, s.ledger.Balance(0), nil)
	output = right(s.record(0, 0, 19))
	output.Partition++
	s.ledger.Output(output)
	expectFindings(t, s.ledger.Balance(0), map[Finding]int64{Strayed: 1})
	letter.Partition++
	s.ledger.DeadLetter(letter)
	b := s.ledger.Balance(0)
	expectFindings(t, b, map[Finding]int64{Strayed: 2, RepeatedLetter: 1})
	want := fmt.Sprintf("output record %d@3, read at 0.0s: the key of trace %v", output.Partition,
		s.Trace(0))
	if first := b.Of(Strayed).First; !strings.HasPrefix(first, want) {
		t.Errorf("it says %q, want %q", first, want)
	}
}
