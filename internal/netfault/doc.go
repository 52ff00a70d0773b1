// Package netfault breaks the network between clients and servers: a proxy per server, through
// which a client comes by dialling another address, and faults that last until they are undone.
// Several can last at a time, on one server too: delays add up, the lowest rate counts, and what
// one fault swallows or holds back no other lets through.
//
//	net := netfault.Open()
//	defer net.Close()
//	way, err := net.Add("127.0.0.1:6379")    // dial this instead
//	undo, err := net.Slow("127.0.0.1:6379", netfault.Answers, 20*time.Millisecond)
//	err = undo()
//
// A proxy has one goroutine per direction of a connection, which reads, holds back and writes as
// the faults of the moment say. Deadlines bring it back from a read or a write when they change, so
// that a fault starts and ends beside others even while a server that is frozen takes nothing.
package netfault
