package flusher

import (
	"encoding/hex"
	"slices"
	"strconv"

	"sluice/buffer"
)

// The headers of output records.
const (
	HeaderSegment    = "segment_id"
	HeaderProject    = "project_id"
	HeaderTrace      = "trace_id"
	HeaderGeneration = "generation"
	HeaderChunkIndex = "chunk_index"
	HeaderChunkCount = "chunk_count"
	// HeaderChunkPart is set on the parts of a chunk that the broker refused as too large: the
	// chunk's index, and the way to the part. "2.0.1" is the second half of the first half of
	// chunk 2. The index and count of chunks are within the part then.
	HeaderChunkPart = "chunk_part"
	// HeaderSpan is set on dead letters of a worker, beside what names the generation.
	HeaderSpan = "span_id"
)

// output is an output record, or a dead letter.
type output struct {
	record Record
	future Future
	// from and to bound the segment's spans that the record holds.
	from, to int
	// chunk is the index of the chunk; part is what HeaderChunkPart says, or empty.
	chunk int
	part  string
	// deadLetter is true for a span that goes to the dead-letter topic.
	deadLetter bool
	done       bool
}

// portion takes as much of what is claimed as may be loaded at once.
func (w *worker) portion() []*segment {
	w.claimed = held(w.claimed)
	n, sum := 0, int64(0)
	for n < len(w.claimed) {
		sum += w.claimed[n].size
		if n > 0 && sum > int64(w.cfg.MaxFlushBytes) {
			break
		}
		n++
	}
	portion := slices.Clone(w.claimed[:n])
	clear(w.claimed[:n]) // the rest must not keep alive what is done of these
	w.claimed = w.claimed[n:]
	return portion
}

// load reads the spans of claimed segments, but for those that came with the claim.
func (w *worker) load(batch []*segment) ([]*segment, error) {
	var missing []*segment
	for _, seg := range batch {
		if !seg.loaded {
			missing = append(missing, seg)
		}
	}
	err := perShard(w, StageLoad, missing, w.read, func(
		s *shard, part []*segment, answers []buffer.Loaded,
	) error {
		var gone buffer.Release
		for i, answer := range answers {
			if !answer.Owned {
				// Claimed and yet not ours: a successor has it, and Release will be refused; or
				// the store lost its data, and there is nothing to flush.
				gone.Done = append(gone.Done, part[i].Generation)
				continue
			}
			part[i].spans, part[i].loaded = answer.Spans, true
		}
		return w.letGo(s, gone)
	}, w.setAside)
	loaded := slices.DeleteFunc(batch, func(seg *segment) bool { return !seg.loaded })
	return held(loaded), err
}

func (w *worker) read(s *shard, part []*segment) ([]buffer.Loaded, error) {
	return w.ports.Store.Load(w.ctx, s.owner, names(part))
}

// produce writes segments as records and hands them to the producer.
func (w *worker) produce(batch []*segment) error {
	for _, seg := range batch {
		w.report(StageProduce)
		w.assemble(seg)
		for _, out := range seg.outputs {
			out.future = w.ports.Producer.Produce(w.ctx, out.record)
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// assemble writes a segment as records, and lets go of its spans: should one of them be needed
// again, it is still in the store.
func (w *worker) assemble(seg *segment) {
	seg.ids = make([]buffer.SpanID, len(seg.spans))
	for i := range seg.spans {
		seg.ids[i] = seg.spans[i].ID
	}
	seg.outputs = w.encode(seg, seg.spans, 0, "")
	seg.spans = nil
}

// encode writes spans that begin at an index of the segment as one record per chunk. A span that
// cannot be written must not keep the others, nor the worker, in a loop: it is found by halving,
// and becomes a dead letter.
func (w *worker) encode(seg *segment, spans []buffer.Span, from int, part string) []*output {
	if len(spans) == 0 {
		return nil
	}
	chunks, err := w.write(seg.Generation, spans, part != "")
	if err != nil {
		return w.halve(seg, spans, from, part, err)
	}
	outputs := make([]*output, 0, len(chunks))
	for _, chunk := range chunks {
		to := from + len(chunk.Spans)
		if chunk.Value == nil {
			outputs = append(outputs,
				w.halve(seg, chunk.Spans, from, partOf(part, chunk.Index), ErrRecordTooLarge)...)
		} else {
			headers, trace := chunkHeaders(seg.Generation, chunk, part)
			outputs = append(outputs, &output{from: from, to: to, chunk: chunk.Index, part: part, record: Record{
				Topic: w.cfg.OutputTopic, Key: trace, Value: chunk.Value, Headers: headers,
			}})
		}
		from = to
	}
	return outputs
}

// frameBytesMax is more than what a record has beside its value: the key, and the headers.
const frameBytesMax = 512

// write calls the encoder, which marks a part of a segment as one if it can, and does not write what is
// known to be too large.
func (w *worker) write(
	g buffer.Generation, spans []buffer.Span, part bool,
) ([]buffer.Chunk, error) {
	if encoder, ok := w.ports.Encoder.(buffer.BoundedEncoder); ok && w.ports.RefusesAbove != nil {
		if most := w.ports.RefusesAbove(w.cfg.OutputTopic); most > 0 {
			return encoder.EncodeWithin(g, spans, part, most-frameBytesMax)
		}
	}
	if encoder, ok := w.ports.Encoder.(buffer.PartEncoder); ok && part {
		return encoder.EncodePart(g, spans)
	}
	return w.ports.Encoder.Encode(g, spans)
}

// chunkHeaders returns the headers of a chunk, and of them the text of the trace, which is also the
// record's key.
func chunkHeaders(
	g buffer.Generation, chunk buffer.Chunk, part string,
) (headers []Header, trace []byte) {
	const most = 7
	headers, text := identity(g, most)
	trace = headers[traceAt].Value
	from := len(text)
	text = strconv.AppendInt(text, int64(chunk.Index), 10)
	to := len(text)
	text = strconv.AppendInt(text, int64(chunk.Count), 10)
	headers = append(headers,
		Header{HeaderChunkIndex, text[from:to:to]},
		Header{HeaderChunkCount, text[to:len(text):len(text)]},
	)
	if part != "" {
		headers = append(headers, Header{HeaderChunkPart, []byte(part)})
	}
	return headers, trace
}

// traceAt is where among the headers that name a generation the trace is.
const traceAt = 2

// identity returns the headers that name a generation, with room for as many as most, and the text that
// they are cut from, which has room for more, too.
func identity(g buffer.Generation, most int) (headers []Header, text []byte) {
	text = make([]byte, 0, 128)
	text = hex.AppendEncode(text, g.Segment[:])
	segment := len(text)
	text = strconv.AppendInt(text, int64(g.Project), 10)
	project := len(text)
	text = hex.AppendEncode(text, g.Trace[:])
	trace := len(text)
	text = g.ID.Append(text)
	id := len(text)
	return append(make([]Header, 0, most),
		Header{HeaderSegment, text[:segment:segment]},
		Header{HeaderProject, text[segment:project:project]},
		Header{HeaderTrace, text[project:trace:trace]},
		Header{HeaderGeneration, text[trace:id:id]},
	), text
}
