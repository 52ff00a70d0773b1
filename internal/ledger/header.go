package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/buffer"
)

// The headers that a record must have, and those that it may have; each once, and no other.
var (
	outputHeaders = []string{HeaderSegment, HeaderProject, HeaderTrace, HeaderGeneration,
		HeaderChunkIndex, HeaderChunkCount}
	outputMay = []string{HeaderChunkPart}
	// What the way in sends to the dead-letter topic, and what a worker does.
	badHeaders  = []string{HeaderError, HeaderTopic, HeaderPartition, HeaderOffset}
	spanHeaders = append([]string{HeaderSegment, HeaderProject, HeaderTrace, HeaderGeneration,
		HeaderSpan}, badHeaders...)
	letterMay = []string{HeaderValueBytes}
)

// whole tells what is wrong with a list of headers.
func whole(headers []Header, must, may []string) error {
	missing := len(must)
	for i := range headers {
		key := headers[i].Key
		for j := range i {
			if headers[j].Key == key {
				return fmt.Errorf("%s is there twice", key)
			}
		}
		switch {
		case slices.Contains(must, key):
			missing--
		case !slices.Contains(may, key):
			return fmt.Errorf("%s %q is none that belongs there", key, clip(headers[i].Value))
		}
	}
	if missing == 0 {
		return nil
	}
	for _, key := range must {
		if !slices.ContainsFunc(headers, func(h Header) bool { return h.Key == key }) {
			return fmt.Errorf("%s is missing", key)
		}
	}
	return nil
}

// readHeaders reads those of an output record.
func readHeaders(headers []Header) (in envelope, err error) {
	if err := whole(headers, outputHeaders, outputMay); err != nil {
		return in, err
	}
	var errs [6]error
	in.readName(headers, errs[:])
	in.chunk.index, errs[4] = decimal(headers, HeaderChunkIndex)
	in.chunk.count, errs[5] = decimal(headers, HeaderChunkCount)
	in.chunk.part = string(header(headers, HeaderChunkPart))
	switch err := errors.Join(errs[:]...); {
	case err != nil:
		return in, err
	case in.chunk.index < 0 || in.chunk.index >= in.chunk.count:
		return in, fmt.Errorf("chunk %d is not one of %d", in.chunk.index, in.chunk.count)
	case in.chunk.part == "" && slices.ContainsFunc(headers, func(h Header) bool {
		return h.Key == HeaderChunkPart
	}), in.chunk.part != "" && !isPart(in.chunk.part):
		return in, fmt.Errorf("%s %q is no index with halves behind it", HeaderChunkPart, in.chunk.part)
	}
	in.attribute = hex.AppendEncode(append(make([]byte, 0, 64), attributeHead...), in.segment[:])
	in.attribute = append(in.attribute, attributeTail...)
	return in, nil
}

// The segment attribute of a span, around the segment's id.
const (
	attributeHead = `"` + segmentAttribute + `":{"type":"string","value":"`
	attributeTail = `"}`
)

// readName reads the headers that name a generation, with an error for each.
func (in *envelope) readName(headers []Header, errs []error) {
	if segment := header(headers, HeaderSegment); !buffer.DecodeHex(in.segment[:], segment) {
		in.segment, errs[0] = buffer.ParseSpanID(string(segment)) // which says what is wrong
	}
	if trace := header(headers, HeaderTrace); !buffer.DecodeHex(in.trace[:], trace) {
		in.trace, errs[1] = buffer.ParseTraceID(string(trace))
	}
	var project int64
	project, errs[2] = decimal(headers, HeaderProject)
	in.project = buffer.ProjectID(project)
	text := string(header(headers, HeaderGeneration))
	in.generation, errs[3] = buffer.ParseDeliveryID(text)
	var room [32]byte
	if errs[3] == nil && (string(in.generation.Append(room[:0])) != text || in.generation.Number < 1) {
		errs[3] = fmt.Errorf("generation %q is no delivery", text)
	}
}

// decimal reads a number that is written in the one way in which it can be.
func decimal(headers []Header, key string) (int64, error) {
	text := string(header(headers, key))
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (text[0] == '+' || len(text) > 1 && text[0] == '0' ||
		strings.HasPrefix(text, "-0")) {
		err = errors.New("it is not written plainly")
	}
	if err != nil {
		return 0, fmt.Errorf("%s %q is no number: %w", key, text, err)
	}
	return n, nil
}

// isPart tells whether a text is the index of a chunk and the halves that lead to a part of it.
func isPart(text string) bool {
	index, halves, halved := strings.Cut(text, ".")
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || strconv.Itoa(n) != index {
		return false
	}
	for halved {
		var half string
		if half, halves, halved = strings.Cut(halves, "."); half != "0" && half != "1" {
			return false
		}
	}
	return true
}

func header(headers []Header, key string) []byte {
	for i := range headers {
		if headers[i].Key == key {
			return headers[i].Value
		}
	}
	return nil
}
