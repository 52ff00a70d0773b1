package reports

import (
	"image/color"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette. States are told apart by lightness too, so that they read without colour.
var (
	ink       = rgb(0x22, 0x2B, 0x38)
	faint     = rgb(0x6B, 0x75, 0x83)
	rule      = rgb(0xE3, 0xE7, 0xEC)
	paper     = rgb(0xFF, 0xFF, 0xFF)
	laneBack  = rgb(0xF4, 0xF6, 0xF8)
	rateIn    = rgb(0x2F, 0x6D, 0xB5)
	rateOut   = rgb(0xE0, 0x7B, 0x1F)
	bufferInk = rgb(0x6C, 0x5B, 0xA8)
	bufferSet = rgb(0xDD, 0xD7, 0xEE)
	// Backlog has the colour of what comes in, which it is.
	backlogSet  = rgb(0xD3, 0xE1, 0xF1)
	memoryInk   = rgb(0x1F, 0x7A, 0x7A)
	memorySet   = rgb(0xCF, 0xE6, 0xE4)
	freshP50    = rgb(0x8F, 0xB9, 0xE3)
	freshP90    = rgb(0x3F, 0x7F, 0xC4)
	freshP99    = rgb(0x14, 0x3D, 0x73)
	cpuRedis    = rgb(0xB5, 0x2A, 0x3F)
	cpuKafka    = rgb(0x33, 0x3F, 0x50)
	cpuWorkers  = rgb(0x3F, 0xA7, 0xA0)
	cpuConsumer = rgb(0xE9, 0xA2, 0x3B)
	cpuHarness  = rgb(0xA9, 0xAF, 0xB9)
	faultSet    = color.NRGBA{R: 0xD1, G: 0x3B, B: 0x4B, A: 0x1F}
	faultLine   = color.NRGBA{R: 0xC2, G: 0x2F, B: 0x45, A: 0xA0}
	faultInk    = rgb(0xC2, 0x2F, 0x45)
	pauseSet    = rgb(0xF0, 0xB4, 0x3A)
)

var stateColors = map[State]color.NRGBA{
	StateStarting:     rgb(0xA9, 0xC8, 0xE8),
	StateHealthy:      rgb(0x7F, 0xC2, 0x9B),
	StateBackpressure: rgb(0xF0, 0xC4, 0x52),
	StateHung:         rgb(0x7A, 0x5A, 0xA6),
	StateDead:         rgb(0xB5, 0x2A, 0x3F),
	StateRestarting:   rgb(0xEE, 0x8A, 0x4A),
	StateStopped:      rgb(0xD5, 0xDA, 0xE0),
}

func rgb(r, g, b uint8) color.NRGBA { return color.NRGBA{R: r, G: g, B: b, A: 0xFF} }

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
