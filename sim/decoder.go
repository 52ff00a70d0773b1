package sim

import (
	"fmt"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/internal/load"
)

// decoder is a consumer's, which takes the time of reading a span. Of most spans it does not read the
// bytes, though they are there and come out at the end: who has written them tells what they say. One in
// some is read, as is all that is not what a generator wrote, so a decoder that says something else ends
// the run.
type decoder struct {
	buffer.Decoder
	*processor
	costs Program
}

// readEvery is one in how many spans is read. A power of two.
const readEvery = 16

// Decode implements buffer.Decoder.
func (d *decoder) Decode(value []byte) (buffer.Decoded, error) {
	d.compute(d.costs.Read + perKB(len(value), d.costs.ReadKB))
	said, ok := load.Beside(value)
	if !ok {
		return d.Decoder.Decode(value)
	}
	known := decoded(value, &said)
	if said.ID[0]%readEvery == 0 {
		read, err := d.Decoder.Decode(value)
		if err != nil || !same(&read, &known) {
			panic(fmt.Sprintf("message %s was read as %+v (error %v), and says %+v", value, read, err, known))
		}
	}
	return known, nil
}

// decoded is what a decoder makes of a message that says that.
func decoded(value []byte, said *load.Said) buffer.Decoded {
	m := &said.Marks
	return buffer.Decoded{Organization: load.Organization, Span: buffer.Span{
		TraceKey: said.TraceKey, ID: said.ID, Parent: said.Parent, Root: said.Root,
		Size: len(value), Payload: value,
		Marks: codec.Marks(len(value), m.FlagFrom, m.FlagTo, m.AttributesFrom, m.AttributesTo),
	}}
}

// same tells whether two messages say the same, beside their bytes.
func same(a, b *buffer.Decoded) bool {
	return a.Organization == b.Organization && a.TraceKey == b.TraceKey && a.ID == b.ID &&
		a.Parent == b.Parent && a.Root == b.Root && a.Size == b.Size && len(a.Payload) == len(b.Payload) &&
		a.Marks == b.Marks && a.Position == b.Position
}
