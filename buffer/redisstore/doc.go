// Package redisstore is the buffer.Store on Redis 7 or later, on Redis Cluster, and on miniredis.
//
// All state of one trace is one key, so that every step on a trace is atomic wherever the trace
// lives: a string while it is one small segment, else a hash; lua/trace.lua says how they are laid
// out. All state of one shard is three keys of one slot;
// see lua/shard.lua. Keys, with the default namespace:
//
//	sluice:t:<project>:<trace>           a trace
//	sluice:{s:<slice>:<shard>}:queue     deadlines
//	sluice:{s:<slice>:<shard>}:leased    what the owner of the shard has in work
//	sluice:{s:<slice>:<shard>}:owner     epoch and clock; the only keys that stay
//
// Each step that writes is one script, lua/<step>.lua, put together with the files that describe
// the state; but a new trace of a small segment is stored by SET NX. A script touches the keys it declares and no others. On a single server one call may
// be for several traces, each a step of its own; in a cluster it is for one.
//
// When Redis is at its maxmemory, Attach is refused with buffer.ErrFull and has changed nothing in
// the traces it refused. All other steps work, because they make room or lead to it: Claim, Ack,
// Lease, Release and Fence, and Enqueue, without which the spans of an Attach that still found room
// would wait for the redelivery of their batch.
//
// Open refuses a server that would throw spans away (maxmemory-policy allkeys-..., and a maxmemory) or
// is too old; Evictions asks again, as others may serve later. A server that was restarted or replaced by
// its replica is given the scripts again at the first call. What passes by itself is
// buffer.ErrUnavailable: no connection, a broken one, no answer in time, a server that loads its data,
// lost its cluster or became a replica.
package redisstore
