package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"sluice/internal/usl"
)

// withoutMark leaves out the byte order mark that some programs begin a file with, which would be a part
// of its first word that nobody sees.
func withoutMark(r io.Reader) io.Reader {
	const mark = "\ufeff"
	buffered := bufio.NewReader(r)
	if first, _ := buffered.Peek(len(mark)); string(first) == mark {
		_, _ = buffered.Discard(len(mark)) // it is there
	}
	return buffered
}

// parseFigure reads a figure of a point. The error says what the text is.
func parseFigure(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	switch size := math.Abs(v); {
	case size > usl.ValueMax || size > 0 && size < usl.ValueMin:
		return v, fmt.Errorf("beyond sense: want %v to %v", usl.ValueMin, usl.ValueMax)
	case err != nil || math.IsNaN(v):
		return v, errors.New("not a number")
	}
	return v, nil
}
