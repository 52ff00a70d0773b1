package main

import (
	"sluice/internal/harness"
	"sluice/sim"
)

// worldVirtual is the name of the world of virtual time.
var worldVirtual = sim.World{}.Name()

// isVirtual tells whether a name, of a flag or in results, is that of the world of virtual time.
func isVirtual(name string) bool { return name == worldVirtual }

// virtual tells whether a world is that of virtual time.
func virtual(world harness.World) bool { return isVirtual(world.Name()) }
