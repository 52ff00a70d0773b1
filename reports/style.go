package reports

import (
	"fmt"
	"image/color"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette: each colour on white, and what takes its place in a page that is dark. States are
// told apart by lightness too, so that they read without colour.
var (
	ink       = tone(0x222B38, 0xE4E8EE)
	faint     = tone(0x6B7583, 0x9AA6B5)
	rule      = tone(0xE3E7EC, 0x323B48)
	paper     = tone(0xFFFFFF, 0x1B212A)
	laneBack  = tone(0xF4F6F8, 0x232B36)
	rateIn    = tone(0x2F6DB5, 0x6FA8EE)
	rateOut   = tone(0xD9731A, 0xF0954A)
	bufferInk = tone(0x6C5BA8, 0xA99BE3)
	bufferSet = tone(0xDDD7EE, 0x3A3560)
	// Backlog has the colour of what comes in, which it is.
	backlogSet  = tone(0xD3E1F1, 0x24405F)
	memoryInk   = tone(0x1F7A7A, 0x4CB8B4)
	memorySet   = tone(0xCFE6E4, 0x1F4746)
	freshP50    = tone(0x6096D2, 0x4677B0)
	freshP90    = tone(0x2F70B8, 0x7FB2F0)
	freshP99    = tone(0x143D73, 0xD3E6FC)
	cpuRedis    = tone(0xB52A3F, 0xEE6A7C)
	cpuKafka    = tone(0x333F50, 0xC3CDDB)
	cpuWorkers  = tone(0x359790, 0x55C7BF)
	cpuConsumer = tone(0xC8801A, 0xF2B455)
	cpuHarness  = tone(0x8B929D, 0x7C8594)
	faultInk    = tone(0xC22F45, 0xFF8A94)
	faultSet    = faded(faultInk, 0x1F)
	faultLine   = faded(faultInk, 0xA0)
	pauseSet    = tone(0xF0B43A, 0xF0B43A)
)

var stateColors = map[State]color.NRGBA{
	StateStarting:     tone(0xA9C8E8, 0x4F7FB5),
	StateHealthy:      tone(0x7FC29B, 0x3C8A5E),
	StateBackpressure: tone(0xF0C452, 0xDDB040),
	StateHung:         tone(0x7A5AA6, 0xA98BDD),
	StateDead:         cpuRedis,
	StateRestarting:   tone(0xEE8A4A, 0xEE8A4A),
	StateStopped:      tone(0xD5DAE0, 0x4A5462),
}

// The stages of a worker, and the workers that own shards, in a timeline. Stages that wait for Redis
// are blue, those for Kafka brown.
var (
	stageColors = map[string]color.NRGBA{
		"idle": tone(0xE6EAEF, 0x2E3743), "lease": tone(0x9CC0E6, 0x39618F), "claim": tone(0x5B93CF, 0x4E80BC),
		"load": tone(0x2C65A6, 0x74A7E0), "produce": tone(0xE2B98A, 0x8A5F2E), "wait": tone(0xC07A33, 0xC98A48),
		"ack": tone(0x3E8F86, 0x4FB3A8), "release": tone(0x8CC9C1, 0x2F6E67),
		// Of a reader, in a search.
		"attach": tone(0x9CC0E6, 0x39618F), "enqueue": tone(0x5B93CF, 0x4E80BC), "commit": tone(0x8CC9C1, 0x2F6E67),
		"pause": tone(0xE6EAEF, 0x2E3743),
	}
	ownerColors = [owners]color.NRGBA{
		tone(0x8FB8DE, 0x38628F), tone(0xF2B98B, 0x97602F), tone(0x9FD3A6, 0x35774A), tone(0xD6A6D2, 0x7E4A7B),
		tone(0xE8D37F, 0x86742B), tone(0x94D0CF, 0x2F7574), tone(0xDFA0A6, 0x8E454D), tone(0xB5B4E0, 0x555499),
	}
	ownerNone = tone(0xF3D3D6, 0x5A2A30)
	// Of a search: processes that are down, and where a span is.
	downColor   = stateColors[StateStopped]
	placeColors = map[string]color.NRGBA{
		"input": stateColors[StateStarting], "store": stateColors[StateHealthy],
		"way": stateColors[StateBackpressure], "out": stageColors["ack"], "lost": stateColors[StateDead],
	}
	phaseColors = map[string]color.NRGBA{
		"starting": stateColors[StateStarting], "up": stateColors[StateHealthy],
		"hung": stateColors[StateHung], "gone": stateColors[StateStopped],
	}
)

// darkOf has for each colour of the palette, as SVG has it, that of a dark page.
var darkOf = map[string]string{}

// tone is a colour of the palette: on white, and in a dark page.
func tone(light, dark uint32) color.NRGBA {
	c := color.NRGBA{R: uint8(light >> 16), G: uint8(light >> 8), B: uint8(light), A: 0xFF}
	darkOf[hex(c)] = fmt.Sprintf("#%06X", dark)
	return c
}

// faded is a colour of the palette through which what lies below is seen.
func faded(c color.NRGBA, alpha uint8) color.NRGBA {
	dark := darkOf[hex(c)]
	c.A = alpha
	darkOf[hex(c)] = dark
	return c
}

// hex writes a colour as vgsvg does, which loses a little of one that is faded.
func hex(c color.Color) string {
	r, g, b, a := c.RGBA()
	full := 255 / float64(a)
	return fmt.Sprintf("#%02X%02X%02X", int(float64(r)*full), int(float64(g)*full),
		int(float64(b)*full))
}

// alignment of text to its point: -1 is left or top, 0 centred, 1 right or bottom.
type alignment struct{ x, y float64 }

func textStyle(size vg.Length, c color.Color, bold bool, at alignment) draw.TextStyle {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return draw.TextStyle{
		Color: c, Font: f, Handler: plot.DefaultTextHandler,
		XAlign: text.XAlignment(-0.5 - at.x/2), YAlign: text.YAlignment(-0.5 + at.y/2),
	}
}

func line(c color.Color, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: dashes}
}
