package reports

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"image/color"
	"maps"
	"math"
	"slices"
	"strings"
)

// storyView is what the template of a timeline shows.
type storyView struct {
	Notes []string
	// Look are ids of spans that the page offers to look at.
	Look          []string
	TimelineLabel string
	Style         template.CSS
	// Script is the page's only one; the page says so by its hash, so that no other runs.
	Script     template.JS
	ScriptHash string
	StoryText  template.JS
	Legend     []storyClass
}

// storyClass is what a colour means.
type storyClass struct{ Class, Text string }

func (s *Story) view(label string) (storyView, error) {
	text, err := json.Marshal(s) // escapes what could end the element
	if err != nil {
		return storyView{}, fmt.Errorf("write the timeline: %w", err)
	}
	script := spansScript + timelineScript
	sum := sha256.Sum256([]byte(script))
	var look []string
	if s.Spans != nil {
		look = s.Spans.Look
	}
	return storyView{
		Look: look, Notes: s.Notes, TimelineLabel: label, Script: template.JS(script), StoryText: template.JS(text),
		ScriptHash: "sha256-" + base64.StdEncoding.EncodeToString(sum[:]),
		Style:      template.CSS(pageStyle + timelineStyle + storyStyle() + chartStyle()), Legend: s.legend(),
	}, nil
}

// legend explains the colours that the lanes have, in the order of the palette.
func (s *Story) legend() []storyClass {
	if s.Unit == UnitSteps {
		return nil // its bars have their texts on them
	}
	texts := map[string]string{}
	for _, lane := range s.Lanes {
		for _, bar := range slices.Concat(lane.Bars, lane.Under) {
			texts[bar.Class] = bar.Text
		}
	}
	var list []storyClass
	for _, c := range storyClasses() {
		text, used := texts[c.class]
		if !used {
			continue
		}
		list = append(list, storyClass{c.class, cmp.Or(c.text, text)})
	}
	return list
}

// classColor is the colour of a class of bars, and what it means if the bars' own text does not say.
type classColor struct {
	class, text string
	color       string
}

// storyClasses are all classes of bars.
func storyClasses() []classColor {
	list := []classColor{{"down", "", hex(downColor)}}
	for _, of := range []struct {
		prefix string
		colors map[string]color.NRGBA
	}{{"place-", placeColors}, {"phase-", phaseColors}} {
		for _, name := range slices.Sorted(maps.Keys(of.colors)) {
			list = append(list, classColor{of.prefix + name, "", hex(of.colors[name])})
		}
	}
	for _, state := range States() {
		list = append(list, classColor{string(state), string(state), hex(stateColors[state])})
	}
	for _, stage := range slices.Sorted(maps.Keys(stageColors)) {
		list = append(list, classColor{"stage-" + stage, "in stage " + stage, hex(stageColors[stage])})
	}
	list = append(list, classColor{"paused", "input paused", hex(pauseSet)})
	for i, c := range ownerColors {
		list = append(list, classColor{fmt.Sprintf("owner-%d", i), "", hex(c)})
	}
	return append(list, classColor{"owner-none", "owner down", hex(ownerNone)})
}

// storyStyle gives each class its colour, and what is written on it one that can be read, also where
// the page is dark.
func storyStyle() string {
	var text, dark strings.Builder
	for _, c := range storyClasses() {
		fmt.Fprintf(&text, ".c-%s { fill: var(--%[2]s); background: var(--%[2]s); }\n", c.class, c.color[1:])
		fmt.Fprintf(&text, ".tl-on-%s { fill: %s; }\n", c.class, readable(c.color))
		fmt.Fprintf(&dark, ".tl-on-%s { fill: %s; }\n", c.class, readable(darkOf[c.color]))
	}
	return text.String() + "@media (prefers-color-scheme: dark) {\n" + dark.String() + "}\n"
}

// readable is the colour of a text on another, #RRGGBB: black or white, whichever has more contrast
// (WCAG 2.2, relative luminance).
func readable(on string) string {
	var rgb [3]uint8
	_, _ = fmt.Sscanf(on, "#%02X%02X%02X", &rgb[0], &rgb[1], &rgb[2]) // the palette's own form
	luminance := 0.0
	for i, share := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(rgb[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		luminance += share * v
	}
	if luminance > 0.179 { // where both have the same
		return "#111827"
	}
	return "#ffffff"
}
