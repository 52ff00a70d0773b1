// Package ledger proves what became of every message of a run. It is exact: a span's id is a
// bijection of its number, so one bit per span and question is enough, and a span that comes out
// is compared byte by byte with what was sent, which is made again from its number. A bad message
// has the number of the span it follows, and is compared with what was sent in the same way.
//
// The account of the spans is Sent = Flushed + Dropped + Buffered + Lost. A fault that destroys
// what Redis alone held is called an excuse: of the spans that were under way at that moment, and
// of no others, those that never come out are dropped for that reason, and not lost. The account of
// the bad messages is BadSent = BadLettered + BadLost. All has come out when nothing is Pending.
//
// The ledger reads output records by itself, with nothing of the code that wrote them. It knows one
// layout by heart, that of a flusher that only puts two fields into the bytes that came in, and so
// checks a span in less time than it takes to make it; any other layout takes the slow path.
package ledger
