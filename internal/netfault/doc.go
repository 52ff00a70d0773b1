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
// The proxies are toxiproxy's, which accepts, dials, and carries the bytes. What happens to the
// bytes is one toxic of ours, the valve, which is always there and reads its settings as they are.
// Toxiproxy's own toxics come and go by interrupting the flow, which waits for as long as a server
// that is frozen takes nothing, and leaves goroutines behind where a connection breaks with bytes
// under way; so a fault could neither be started nor ended beside another one.
package netfault
