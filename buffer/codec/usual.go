package codec

import (
	"encoding/binary"

	"sluice/buffer"
)

// usualFields passes the fields up to the name as long as they are written as most are: in this order,
// without white space, an integer as its digits. The parent and the flag may be absent. It stops before
// the first that is written otherwise, and returns which field may be next. (It says nothing that the
// long way would not, but that what it passes is known.)
//
// Keys are compared in pieces that fit into two words: the compiler makes a few instructions of each.
func (m *message) usualFields() (next field) {
	rest := m.data[m.pos:]
	if len(rest) < 32 || string(rest[:16]) != `"organization_id` || string(rest[16:18]) != `":` ||
		!m.usualInteger(organizationID, 18) {
		return organizationID
	}
	rest = m.data[m.pos:]
	if len(rest) < 32 || string(rest[:13]) != `"project_id":` || !m.usualInteger(projectID, 13) {
		return projectID
	}
	rest = m.data[m.pos:]
	if len(rest) < 48 || string(rest[:11]) != `"trace_id":` || !m.usualID(traceID, 11) {
		return traceID
	}
	rest = m.data[m.pos:]
	if len(rest) < 32 || string(rest[:10]) != `"span_id":` || !m.usualID(spanID, 10) {
		return spanID
	}
	rest = m.data[m.pos:]
	if len(rest) >= 40 && string(rest[:16]) == `"parent_span_id"` && rest[16] == ':' {
		if !m.usualID(parentSpanID, 17) &&
			(string(rest[17:21]) != "null" || !m.pass(parentSpanID, 17, 21)) {
			return parentSpanID
		}
		rest = m.data[m.pos:]
	}
	if len(rest) >= 32 && string(rest[:13]) == `"is_segment":` {
		size := len("true")
		if rest[13] == 'f' {
			size++
		}
		if text := rest[13 : 13+size]; string(text) != "true" && string(text) != "false" &&
			string(text) != "null" || !m.pass(isSegment, 13, 13+size) {
			return isSegment
		}
		rest = m.data[m.pos:]
	}
	if len(rest) < 40 || string(rest[:16]) != `"start_timestamp` || string(rest[16:18]) != `":` ||
		!m.usualNumber(startTimestamp, 18) {
		return startTimestamp
	}
	rest = m.data[m.pos:]
	if len(rest) < 40 || string(rest[:16]) != `"end_timestamp":` || !m.usualNumber(endTimestamp, 16) {
		return endTimestamp
	}
	rest = m.data[m.pos:]
	if len(rest) < 32 || string(rest[:11]) != `"received":` || !m.usualNumber(received, 11) {
		return received
	}
	rest = m.data[m.pos:]
	if len(rest) < 32 || string(rest[:16]) != `"retention_days"` || rest[16] != ':' ||
		!m.usualInteger(retentionDays, 17) {
		return retentionDays
	}
	rest = m.data[m.pos:]
	if len(rest) < 16 || string(rest[:10]) != `"status":"` || !m.usualString(status, 9) {
		return status
	}
	rest = m.data[m.pos:]
	if len(rest) < 16 || string(rest[:8]) != `"name":"` || !m.usualString(name, 7) {
		return name
	}
	return attributes
}

// pass passes a field whose value lies between two places behind where its key begins, if a comma is
// behind it.
func (m *message) pass(f field, from, to int) bool {
	from, to = m.pos+from, m.pos+to
	if to >= len(m.data) || m.data[to] != ',' {
		return false
	}
	m.known |= 1 << f
	m.fields[f] = extent{from, to}
	m.pos = to + 1
	return true
}

// usualInteger passes a field that is a positive integer.
func (m *message) usualInteger(f field, from int) bool {
	data, start := m.data, m.pos+from
	at, n := start, int64(0)
	for ; at < len(data); at++ {
		digit := data[at] - '0'
		if digit > 9 {
			break
		}
		n = 10*n + int64(digit)
	}
	if at == start || at-start > digitsSafe || data[start] == '0' {
		return false
	}
	m.integers[min(f, projectID+1)] = n
	return m.pass(f, from, at-m.pos)
}

// usualID passes a field that is an id.
func (m *message) usualID(f field, from int) bool {
	to := m.idAt(f, m.pos+from) - m.pos
	return to > from && m.pass(f, from, to)
}

// usualString passes a field that is a string.
func (m *message) usualString(f field, from int) bool {
	to := plain(m.data, m.pos+from+1)
	if to < len(m.data) && m.data[to] == '"' {
		return m.pass(f, from, to+1-m.pos)
	}
	was := m.pos
	m.pos += from
	ok := m.string()
	to = m.pos
	m.pos = was
	return ok && m.pass(f, from, to-was)
}

// usualNumber passes a field that is a number of digits, with a fraction or without one, and not of so
// many that it may not fit into a float64.
func (m *message) usualNumber(f field, from int) bool {
	text := m.data[m.pos+from:]
	// Seconds of ten digits with three behind the point.
	if len(text) > 14 && text[0] != '0' && text[10] == '.' && eightDigits(binary.LittleEndian.Uint64(text)) &&
		eightDigits(binary.LittleEndian.Uint64(text[6:])^('.'^'0')<<32) && m.pass(f, from, from+14) {
		return true
	}
	to := 0
	for to < len(text) && text[to]-'0' <= 9 {
		to++
	}
	if to == 0 || text[0] == '0' {
		return false
	}
	if to+1 < len(text) && text[to] == '.' && text[to+1]-'0' <= 9 {
		for to += 2; to < len(text) && text[to]-'0' <= 9; {
			to++
		}
	}
	return to <= shortMax && m.pass(f, from, from+to)
}

// eightDigits tells whether all bytes of a word are digits: each begins with 3, and still does if 6 is
// added to it.
func eightDigits(word uint64) bool {
	const begins, three, six = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
	return word&begins == three && (word+six)&begins == three
}

// usualSpan fills in what the message says, if it is known: every field that a span must have, and no
// segment is named. It returns false, and has changed nothing, otherwise.
func (m *message) usualSpan(d *buffer.Decoded) bool {
	const must = 1<<organizationID | 1<<projectID | 1<<traceID | 1<<spanID | 1<<startTimestamp |
		1<<endTimestamp | 1<<received | 1<<retentionDays | 1<<status | 1<<name
	parent, flag := m.fields[parentSpanID], m.fields[isSegment]
	if m.known&must != must || !m.segment.none() ||
		!parent.none() && m.known&(1<<parentSpanID) == 0 || !flag.none() && m.known&(1<<isSegment) == 0 {
		return false
	}
	d.Organization, d.Project = m.integers[organizationID], buffer.ProjectID(m.integers[projectID])
	d.Trace, d.ID, d.Parent = m.trace, m.own, m.own
	d.Root = parent.none() || m.data[parent.from] == 'n' || !flag.none() && m.data[flag.from] == 't'
	if !d.Root {
		d.Parent = m.above
	}
	return true
}
