package ingest

import (
	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/check"
)

// Ports are what the loop acts on. All but KillSwitch and Events are needed.
type Ports struct {
	Clock       flusher.Clock
	Tasks       flusher.Tasks
	Source      flusher.Source
	Store       buffer.Store
	Decoder     buffer.Decoder
	DeadLetters flusher.Producer
	Gate        flusher.Gate
	Assigner    flusher.Assigner
	// KillSwitch returns the rules of the moment; it is asked once per batch. Nil drops nothing.
	KillSwitch func() *buffer.KillSwitch
	// Events receives what an operator must know, from several tasks at once. It must not block.
	Events func(Event)
}

func (p Ports) validate() error {
	var f check.Faults
	need := func(there bool, name string) { f.When(!there, "ingest: port %s is missing", name) }
	need(p.Clock != nil, "Clock")
	need(p.Tasks != nil, "Tasks")
	need(p.Source != nil, "Source")
	need(p.Store != nil, "Store")
	need(p.Decoder != nil, "Decoder")
	need(p.DeadLetters != nil, "DeadLetters")
	need(p.Gate != nil, "Gate")
	need(p.Assigner != nil, "Assigner")
	return f.Err()
}

func (p Ports) killSwitch() *buffer.KillSwitch {
	if p.KillSwitch == nil {
		return nil
	}
	return p.KillSwitch()
}

func (p Ports) event(e Event) {
	if p.Events != nil {
		p.Events(e)
	}
}
