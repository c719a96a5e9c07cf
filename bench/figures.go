package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// line is one line of a figure.
type line struct {
	name   string
	points [][2]float64
}

// growing matches the files of which only packets or flows grow: "packets-64.pcap", "flows-100000.pcap".
var growing = regexp.MustCompile(`^(packets|flows)-(\d+)\.pcap$`)

// onCores matches the entrants that use some processors: "flowvet on 2".
var onCores = regexp.MustCompile(`^(\S+) on (\d+)$`)

// figures draws how the cost grows with packets and flows, and how it falls with processors.
func figures(path, folder string) error {
	numbers, err := readNumbers(path)
	if err != nil {
		return err
	}
	packets, flows := line{name: "1,024ths of MIB, 10,000 flows"}, line{name: "thousand flows, packets alike"}
	cores := map[string]*line{}
	var order []*line
	for _, n := range numbers {
		if m := growing.FindStringSubmatch(n.file); m != nil && n.name == "flowvet" {
			x, _ := strconv.ParseFloat(m[2], 64)
			if m[1] == "packets" {
				packets.points = append(packets.points, [2]float64{x, n.seconds})
			} else {
				flows.points = append(flows.points, [2]float64{x / 1000, n.seconds})
			}
		}
		if m := onCores.FindStringSubmatch(n.name); m != nil {
			if cores[n.file] == nil {
				cores[n.file] = &line{name: n.file}
				order = append(order, cores[n.file])
			}
			x, _ := strconv.ParseFloat(m[2], 64)
			cores[n.file].points = append(cores[n.file].points, [2]float64{x, n.seconds})
		}
	}
	var falls []line
	for _, l := range order {
		falls = append(falls, *l)
	}
	if err := draw(filepath.Join(folder, "growth.svg"), "flowvet check: seconds by size and by flows", []line{packets, flows}); err != nil {
		return err
	}
	return draw(filepath.Join(folder, "cores.svg"), "flowvet check: seconds by processors", falls)
}

const (
	width, height = 640, 320
	left, right   = 60, 620
	top, bottom   = 40, 250
)

// draw writes lines over axes that begin at zero.
func draw(path, title string, lines []line) error {
	most := [2]float64{1, 0.1}
	for _, l := range lines {
		for _, p := range l.points {
			most[0], most[1] = max(most[0], p[0]), max(most[1], p[1])
		}
	}
	x := func(v float64) float64 { return left + v/most[0]*(right-left) }
	y := func(v float64) float64 { return bottom - v/most[1]*(bottom-top) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="20" font-size="14">%s</text>`+"\n", width, height, left, title)
	for i := range 5 {
		at := most[1] * float64(i) / 4
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.2f s</text>`+"\n", left, y(at), right, left-6, y(at)+4, at)
		at = most[0] * float64(i) / 4
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.4g</text>`+"\n", x(at), bottom+16, at)
	}
	colours := []string{"#0b6", "#06c", "#c60", "#a0a"}
	for i, l := range lines {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
		for _, p := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p[0]), y(p[1]))
		}
		b.WriteString("\"/>\n")
		for _, p := range l.points {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(p[0]), y(p[1]), colour)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+i*190, bottom+40, colour, l.name)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}
