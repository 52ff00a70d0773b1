// Package ledger proves what became of every span of a run. It is exact: a span's id is a
// bijection of its number, so one bit per span and question is enough, and a span that comes out
// is compared byte by byte with what was sent, which is made again from its number.
//
// The ledger reads output records by itself, with nothing of the code that wrote them.
package ledger
