package handlers

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
)

// colour is red, green and blue, each from 0 to 1, in sRGB.
type colour [3]float64

// parseColour reads #rrggbb.
func parseColour(s string) (colour, bool) {
	if len(s) != 7 || s[0] != '#' {
		return colour{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return colour{}, false
	}
	return colour{float64(n>>16) / 255, float64(n>>8&0xff) / 255, float64(n&0xff) / 255}, true
}

func (c colour) String() string {
	b := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", b(c[0]), b(c[1]), b(c[2]))
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	la, lb := a.luminance(), b.luminance()
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05)
}

// mix is c with a share of another colour in it.
func (c colour) mix(o colour, share float64) colour {
	for i := range c {
		c[i] += (o[i] - c[i]) * share
	}
	return c
}

// until moves c towards another colour as little as it takes.
func (c colour) until(towards colour, enough func(colour) bool) colour {
	for step := range 100 {
		if m := c.mix(towards, float64(step)/100); enough(m) {
			return m
		}
	}
	return towards
}

var (
	white = colour{1, 1, 1}
	black = colour{0, 0, 0}
)

// scheme is the surfaces of app.css that the association's colour stands on.
type scheme struct {
	ink      colour // dark letters on a light accent
	surfaces []colour
	away     colour // what to mix in until the colour stands out
}

func must(s string) colour {
	c, ok := parseColour(s)
	if !ok {
		panic("not a colour: " + s)
	}
	return c
}

var (
	light = scheme{must("#1c2733"), []colour{must("#f5f0e6"), must("#fffdf8"), must("#ece4d4")}, black}
	dark  = scheme{must("#191d20"), []colour{must("#14191f"), must("#1d242b"), must("#262e36")}, white}
)

// The least contrasts that WCAG 2.2 asks for: 1.4.3 for text, 1.4.11 for the
// edges of a button.
const (
	textContrast = 4.5
	edgeContrast = 3
)

// standsOut reports whether a colour has a contrast with every surface.
func (s scheme) standsOut(c colour, least float64) bool {
	for _, surface := range s.surfaces {
		if contrast(c, surface) < least {
			return false
		}
	}
	return true
}

// lightShare is how much white the lighter accent has in it.
const lightShare = 0.18

// properties are the custom properties of app.css that stand for brass, made
// of the association's colour and moved as little as it takes to read well.
func (s scheme) properties(c colour) string {
	if s.away == white {
		c = c.until(white, func(c colour) bool { return s.standsOut(c, edgeContrast) })
	}
	on := white
	if contrast(c, s.ink) >= contrast(c, white) {
		on = s.ink
		c = c.until(white, func(c colour) bool { return contrast(c, on) >= textContrast })
	} else {
		// White letters must also read on the lighter accent.
		c = c.until(black, func(c colour) bool { return contrast(c.mix(white, lightShare), on) >= textContrast })
	}
	stands := func(least float64) colour {
		return c.until(s.away, func(c colour) bool { return s.standsOut(c, least) })
	}
	return fmt.Sprintf("--accent:%s;--accent-light:%s;--accent-edge:%s;--accent-ink:%s;--on-accent:%s",
		c, c.mix(white, lightShare), stands(edgeContrast), stands(textContrast), on)
}

// The address of the style sheet names its colour, so it never changes; under
// the address of another colour it is kept for a moment only.
const (
	brandAge      = "public, max-age=31536000, immutable"
	brandAgeOther = "public, max-age=300"
)

// brand is the style sheet with the association's colour.
func (p *portal) brand(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", contentTypes[".css"])
	named, age := visitOf(r).settings.Colour, brandAgeOther
	if "#"+r.URL.Query().Get("v") == named {
		age = brandAge
	}
	w.Header().Set("Cache-Control", age)
	_, _ = io.WriteString(w, brandOf(named)) // whoever hung up needs no answer
	return nil
}

// brandOf is the style sheet of a colour, empty for what is none.
func brandOf(typed string) string {
	c, ok := parseColour(typed)
	if !ok {
		return ""
	}
	return ":root{" + light.properties(c) + "}\n" +
		"@media (prefers-color-scheme:dark){:root{" + dark.properties(c) + "}}\n"
}
