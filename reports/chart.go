package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a picture that can be drawn in several formats.
type Chart struct {
	width, height vg.Length
	paint         func(draw.Canvas)
}

// dotsPerInch makes PNG files sharp on a dense display: two dots per point of the picture.
const dotsPerInch = 144

// WritePNG writes the chart as PNG.
func (c Chart) WritePNG(w io.Writer) error {
	canvas := vgimg.NewWith(vgimg.UseWH(c.width, c.height), vgimg.UseDPI(dotsPerInch),
		vgimg.UseBackgroundColor(paper))
	c.paint(draw.New(canvas))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// family is that of the charts' text in SVG, and what a viewer without it should use: the first two
// have the same widths.
const family = "Liberation Sans"

// WriteSVG writes the chart as SVG. Its fonts are not embedded.
func (c Chart) WriteSVG(w io.Writer) error {
	canvas := vgsvg.New(c.width, c.height)
	drawing := draw.New(canvas)
	drawing.FillPolygon(paper, []vg.Point{{}, {X: c.width}, {X: c.width, Y: c.height}, {Y: c.height}})
	c.paint(drawing)
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(picture.Bytes(), []byte("font-family:"+family+";"),
		[]byte("font-family:"+family+",Arial,Helvetica,sans-serif;")))
	return err
}

// Save writes name.png and name.svg into a directory.
func (c Chart) Save(dir, name string) error {
	for ext, write := range map[string]func(io.Writer) error{".png": c.WritePNG, ".svg": c.WriteSVG} {
		file, err := os.Create(filepath.Join(dir, name+ext))
		if err != nil {
			return fmt.Errorf("save chart: %w", err)
		}
		if err := errors.Join(write(file), file.Close()); err != nil {
			return errors.Join(fmt.Errorf("save chart: %w", err), os.Remove(file.Name()))
		}
	}
	return nil
}
