package sim

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/internal/load"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// TestDecoderKnows: what a generator says of its messages is what the decoder reads in them, and of
// what is no span, or not as it was written, it says nothing.
func TestDecoderKnows(t *testing.T) {
	s, _, err := scenarios.LoadWith("steady", nil, "workload.bad=0.05", "workload.headless=0.1",
		"workload.projects=1000", "workload.span_bytes=uniform 400..2000", "duration=3s")
	if err != nil {
		t.Fatal(err)
	}
	read := codec.New(buffer.NoSegmentLimit)
	of := load.NewGenerator(s)
	var m load.Message
	spans, bad := 0, 0
	for of.Next(&m) {
		want, wrong := read.Decode(m.Value)
		said, ok := load.Beside(m.Value)
		if ok == m.Bad {
			t.Fatalf("bad %v, and it is said what it says: %v\n%s", m.Bad, ok, m.Value)
		}
		if m.Bad {
			bad++
			continue
		}
		spans++
		if got := decoded(m.Value, &said); wrong != nil || !same(&got, &want) {
			t.Fatalf("%s\nsays %+v\nread %+v, error %v", m.Value, got, want, wrong)
		}
		for _, other := range [][]byte{
			slices.Clone(m.Value), m.Value[:len(m.Value)-1], m.Value[1:], m.Value[:len(m.Value):len(m.Value)],
			m.Key, nil,
		} {
			if _, ok := load.Beside(other); ok {
				t.Fatalf("of %q it is said what it says", other)
			}
		}
	}
	if spans < 5000 || bad < 100 {
		t.Errorf("%d spans, %d bad messages", spans, bad)
	}
}

// liar reads spans as roots.
type liar struct{ buffer.Decoder }

func (l liar) Decode(value []byte) (buffer.Decoded, error) {
	d, err := l.Decoder.Decode(value)
	d.Root, d.Parent = true, d.ID
	return d, err
}

// TestDecoderReads one in some messages, and all that is not as it was written.
func TestDecoderReads(t *testing.T) {
	s, err := scenarios.Load("steady", nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	d := &decoder{liar{codec.New(buffer.NoSegmentLimit)}, &processor{k: k}, Program{}}
	said := func(value []byte) (d2 buffer.Decoded, cause any) {
		defer func() { cause = recover() }()
		d2, _ = d.Decode(value)
		return d2, nil
	}
	of := load.NewGenerator(s)
	var m load.Message
	found, children := 0, 0
	for of.Next(&m) && children < 1000 {
		if m.Seq == m.Root {
			continue
		}
		children++
		if copied, _ := said(bytes.Clone(m.Value)); !copied.Root {
			t.Fatal("a message in other memory is not read")
		}
		got, cause := said(m.Value)
		if cause == nil && got.Root {
			t.Fatal("a message was read, and nobody compared")
		}
		if cause != nil {
			found++
			if text := cause.(string); !strings.Contains(text, "Root:true") || !strings.Contains(text, "Root:false") {
				t.Fatalf("panic %q", text)
			}
		}
	}
	if found < children/readEvery/2 || found > children/readEvery*2 {
		t.Errorf("%d of %d wrong readings were found, want about one in %d", found, children, readEvery)
	}
}
