// Package netfault breaks the network between clients and servers: a proxy per server, through which
// a client comes by dialling another address, and faults that last until they are undone. Several
// can last at a time, on one server too: delays add up, the lowest rate counts, and what one fault
// swallows or holds back no other lets through.
//
//	net := netfault.Open()
//	defer net.Close()
//	way, err := net.Add("127.0.0.1:6379")    // dial this instead
//	undo, err := net.Slow("127.0.0.1:6379", netfault.Answers, 20*time.Millisecond)
//	err = undo()
//
// A proxy accepts, dials, and carries the bytes of each direction through a pipe that reads its
// effects as they are at each moment. So a fault starts and ends at once, beside any other one, also
// while a frozen server takes nothing, and leaves nothing behind.
package netfault
