// Package codec reads and writes spans as JSON: one span per input message, one segment or chunk
// per output message. Nothing else knows how a span is written.
//
// Neither direction builds a tree. One pass over a message checks its grammar and notes where the
// few fields lie that count; Decode reads those, Encode copies the message and writes over two.
//
// What is accepted is what encoding/json accepts, with the same meaning, where RFC 8259 leaves a
// choice:
//
//   - Of a key that stands twice in an object the last one counts, also when it is null and also
//     when an earlier one has a wrong type.
//   - Keys and values may be written with escapes: "span\u005fid" is span_id. Keys are compared
//     with case, as a consumer that reads into a map compares them.
//   - Bytes that are not UTF-8 are accepted inside strings and passed on as they are.
//   - A number's size is checked only where the number is a field that counts.
//
// Only nesting is limited a little further, see nestingMax.
package codec
