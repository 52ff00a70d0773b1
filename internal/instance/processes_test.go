package instance

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	const more = " 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0"
	for text, want := range map[string]struct {
		parent int
		state  byte
		ok     bool
	}{
		"12 (a) S 7" + more:               {7, 'S', true},
		"12 (odd ) R 9 (name) Z 7" + more: {7, 'Z', true},
		"12 (a) S":                        {0, 0, false},
		"":                                {0, 0, false},
		"12 (a) S x" + more:               {0, 'S', false},
	} {
		p, state, ok := parseStat([]byte(text))
		if ok != want.ok || ok && (p.Parent != want.parent || state != want.state || p.start != "4711") {
			t.Errorf("%q: %+v, %c, %v", text, p, state, ok)
		}
	}
}

// TestScanFindsTheMark starts processes with and without the mark, and expects the ones with it to
// be found until they have ended.
func TestScanFindsTheMark(t *testing.T) {
	const mark = "INSTANCE_TEST=scan"
	scanner := NewScanner(mark)
	if _, ok := scanner.Scan(); !ok {
		t.Skip("this system has no /proc")
	}
	for _, c := range []struct {
		env  []string
		want int
	}{
		{[]string{mark}, 1},
		{[]string{"A=1", mark, "B=2"}, 1},
		{[]string{mark + "2"}, 0},
		{[]string{"A=" + mark}, 0},
		{nil, 0},
	} {
		child := exec.Command("cat") // it ends when its input does
		child.Env = append(c.env, "PATH="+os.Getenv("PATH"))
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// Its environment can be seen for sure once it does something: Start returns a little earlier.
		if _, err := in.Write([]byte{'x'}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		list, _ := scanner.Scan()
		if len(list) != c.want || c.want > 0 && (list[0].Pid != child.Process.Pid ||
			list[0].Parent != os.Getpid()) {
			t.Errorf("%s: found %+v", strings.Join(c.env, " "), list)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err != nil {
			t.Fatal(err)
		}
		if list, _ := scanner.Scan(); len(list) != 0 {
			t.Errorf("%s: after its end %+v", strings.Join(c.env, " "), list)
		}
	}
}
