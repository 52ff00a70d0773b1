package reports

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/process"
)

// browserMax is how long Chromium may take for one page.
const browserMax = 60 * time.Second

// chromium opens a page, and returns what it wrote. It is skipped without a browser, but under
// CI=true that is a failure. No process of it is left.
func chromium(t *testing.T, page string, args ...string) (stdout, stderr string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("no chromium to open %s with: run `make tools`", filepath.Base(page))
	case err != nil:
		t.Skipf("no chromium to open %s with: run `make tools`", filepath.Base(page))
	}
	// Not below t.TempDir: Chromium makes sockets there, whose paths must be short.
	home, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(t.Context(), browserMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"--headless", "--no-sandbox",
		"--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--force-device-scale-factor=1", "--enable-logging=stderr", "--user-data-dir=" + home,
	}, append(args, "file://"+page)...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second // as for those that outlive it, below
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // most often there is nobody left
	}
	expectGone(t, "HOME="+home)
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, log.String())
	}
	return out.String(), log.String()
}

// expectGone waits until no process has the mark in its environment: the watchers for crashes,
// which leave the process group. Those that stay are killed, and a failure.
func expectGone(t *testing.T, mark string) {
	t.Helper()
	scanner := process.NewScanner(mark)
	var left []process.Info
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if left, _ = scanner.Scan(); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, p := range left {
		_ = syscall.Kill(p.Pid, syscall.SIGKILL)
	}
	t.Errorf("chromium left processes behind: %v", left)
}

// complaints are the lines of Chromium's log that come from the page.
func complaints(log string) []string {
	return regexp.MustCompile(`(?m)^.*CONSOLE.*$`).FindAllString(log, -1)
}

func saved(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReportInChromium opens the page as it is written.
func TestReportInChromium(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "page.png")
	path := saved(t, "report.html", written(t, violated()))
	dom, log := chromium(t, path, "--dump-dom")
	if said := complaints(log); len(said) > 0 {
		t.Errorf("the page does not load without complaint: %q", said)
	}
	heading := regexp.MustCompile(`(?s)<h[1-6][^>]*>(.*?)</h[1-6]>`).FindStringSubmatch(dom)
	if len(heading) != 2 || heading[1] != "safety violated" {
		t.Errorf("the first heading is %q", heading)
	}
	if !strings.Contains(dom, "<title>safety violated: mix</title>") {
		t.Error("the title is another: a foreign script ran")
	}
	for _, bad := range []string{"<img", "<link", "<iframe"} {
		if strings.Contains(dom, bad) {
			t.Errorf("the page has an element %s", bad)
		}
	}
	if n := strings.Count(dom, "<script"); n != 2 { // the timeline and what it shows
		t.Errorf("the page has %d scripts", n)
	}
	svg := regexp.MustCompile(`<svg[^>]*viewBox="0 0 [1-9][0-9.]* [1-9][0-9.]*"`)
	for _, name := range []string{ChartRates, ChartBacklog, ChartFreshness, ChartCPU, ChartWorkers} {
		_, figure, _ := strings.Cut(dom, `<figure id="chart-`+name+`">`)
		figure, _, _ = strings.Cut(figure, "</figure>")
		if found := svg.FindAllString(figure, -1); len(found) != 2 { // wide and narrow
			t.Errorf("chart %s is %d pictures with a viewBox", name, len(found))
		}
	}
	chromium(t, path, "--screenshot="+picture, "--window-size=1280,900")
	expectPicture(t, picture, 1280, 900)
}

func expectPicture(t *testing.T, path string, width, height int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X != width || size.Y != height {
		t.Errorf("the picture is %v, want %d by %d", size, width, height)
	}
	colors := map[any]bool{}
	for x := 0; x < width; x += 3 {
		for y := 0; y < height; y += 3 {
			colors[picture.At(x, y)] = true
		}
	}
	if len(colors) < 20 {
		t.Errorf("the picture has only %d colours", len(colors))
	}
}

// layout is what the script of a frame around the page finds.
type layout struct {
	Heading string
	Width   float64
	// Overflow is by how much the page is wider than its window.
	Overflow  float64
	Resources int
	Charts    []struct {
		ID            string
		Width, Height float64
		Texts         int
		// Dark is whether the background is. Text and Line are the least contrasts to it of a text
		// and of a curve, as WCAG has it: 21 is black on white.
		Dark       bool
		Text, Line float64
	}
}

// probe frames a page in a window of a given width, and measures it.
const probe = `<!doctype html><body>
<iframe style="width:%dpx;height:900px;border:0" srcdoc="%s"></iframe>
<pre id="layout"></pre><script>
const luminance = color => {
  const [r, g, b] = color.match(/[0-9.]+/g).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
onload = () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument
  const charts = [...page.querySelectorAll("figure")].map(figure => {
    const all = [...figure.querySelectorAll("svg")]
    const shown = all.filter(s => s.getBoundingClientRect().width > 0)
    const box = shown.length == 1 ? shown[0].getBoundingClientRect() : {width: 0, height: 0}
    const texts = shown.length == 1 ? [...shown[0].querySelectorAll("text")] : []
    const style = e => frame.contentWindow.getComputedStyle(e)
    const back = luminance(style(shown.length == 1 ? shown[0].querySelector("path") : figure).fill)
    const least = colors => Math.min(21, ...colors.map(c => contrast(luminance(c), back)))
    return {ID: figure.id, Width: box.width, Height: box.height, Texts: texts.length,
      Dark: back < 0.1, Text: least(texts.map(t => style(t).fill)),
      Line: least([...figure.querySelectorAll("path")].map(style)
        .filter(s => s.stroke != "none" && parseFloat(s.strokeWidth) > 1).map(s => s.stroke))}
  })
  document.getElementById("layout").textContent = JSON.stringify({
    Heading: page.querySelector("h1,h2,h3").textContent, Width: page.documentElement.clientWidth,
    Overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    Resources: frame.contentWindow.performance.getEntriesByType("resource").length, Charts: charts})
}</script>`

func measure(t *testing.T, page string, width int, args ...string) (layout, []string) {
	t.Helper()
	path := saved(t, "frame.html", fmt.Sprintf(probe, width, html.EscapeString(page)))
	dom, log := chromium(t, path, append(args, "--dump-dom")...)
	_, text, _ := strings.Cut(dom, `<pre id="layout">`)
	text, _, _ = strings.Cut(text, "</pre>")
	var found layout
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &found); err != nil {
		t.Fatalf("%v in %q\n%s", err, text, log)
	}
	return found, complaints(log)
}

// What WCAG, level AA, asks of contrasts.
const (
	textContrastMin = 4.5
	lineContrastMin = 3
)

// The page fits a desk and a telephone, with one picture of each chart in sight. The charts are dark
// where the reader's system is, and can be read there as well.
func TestReportFits(t *testing.T) {
	page := written(t, violated())
	for _, width := range []int{1280, 420} {
		dark := width == 420
		found, said := measure(t, page, width, map[bool]string{
			false: "--blink-settings=preferredColorScheme=1", true: "--force-dark-mode"}[dark])
		if found.Heading != "safety violated" || found.Width != float64(width) ||
			found.Overflow > 0 || found.Resources > 0 || len(said) > 0 {
			t.Errorf("at %d pixels: %+v, %q", width, found, said)
		}
		if len(found.Charts) != 5 {
			t.Errorf("at %d pixels there are %d charts", width, len(found.Charts))
		}
		for _, chart := range found.Charts {
			if chart.Width < 0.85*float64(width) || chart.Height < 100 || chart.Texts < 5 {
				t.Errorf("at %d pixels: %+v", width, chart)
			}
			if chart.Dark != dark || chart.Text < textContrastMin || chart.Line < lineContrastMin {
				t.Errorf("in a page that is dark, %v: %+v", dark, chart)
			}
		}
	}
}

// A page that is too wide, has no chart and wants a file from elsewhere is seen to be so.
func TestReportCheckerSeesDefects(t *testing.T) {
	page := strings.Replace(written(t, Page{}), "<header", `<h2>other</h2>`+
		`<div style="width:1600px">x</div><img src="file:///not/there.png"><header`, 1)
	page = strings.Replace(page, "<svg class", "<div class", 1)
	found, said := measure(t, page, 1280)
	if found.Heading != "other" || found.Overflow < 100 || found.Charts[0].Width != 0 {
		t.Errorf("the checker saw %+v", found)
	}
	if len(said) != 1 || !strings.Contains(said[0], "not/there.png") {
		t.Errorf("the checker heard of a picture that was not loaded: %q", said)
	}
}
