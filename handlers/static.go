package handlers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// contentTypes of what is served: the machine's own table of types may say
// anything, or be missing in a container.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".ico":   "image/x-icon",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

// static is the files beside the pages, kept in memory, small ones smaller.
type static struct {
	// hash of all files together. It stands in their path, so that they may be
	// kept for ever, and a style sheet can name the font beside it.
	hash  string
	files map[string]file
}

type file struct {
	contentType string
	body        []byte
	// gzipped is nil where it would not be smaller, as with fonts. It is made
	// when first asked for: compressing all would take a third of the time in
	// which the portal starts.
	gzipped func() []byte
}

func newStatic(files fs.FS) (*static, error) {
	s := &static{files: map[string]file{}}
	sum := sha256.New()
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	for _, e := range entries {
		kind, known := contentTypes[path.Ext(e.Name())]
		if e.IsDir() || !known {
			continue
		}
		body, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, fmt.Errorf("static files: %w", err)
		}
		body = lean(path.Ext(e.Name()), body)
		fmt.Fprintf(sum, "%s %d\n", e.Name(), len(body))
		sum.Write(body)
		s.files[e.Name()] = file{kind, body, sync.OnceValue(func() []byte {
			if small := squeezed(body); len(small) < len(body) {
				return small
			}
			return nil
		})}
	}
	s.hash = hex.EncodeToString(sum.Sum(nil)[:6])
	return s, nil
}

var (
	comments = map[string]*regexp.Regexp{
		".css": regexp.MustCompile(`(?s)/\*[^!].*?\*/`),
		".js":  regexp.MustCompile(`\n\s*//[^\n]*`),
	}
	margins = map[string]*regexp.Regexp{
		".css": regexp.MustCompile(`;?\s*(})\s*|\s*([{;])\s*|(:) |(,)\n\s*`),
		".js":  regexp.MustCompile(`(\n)\s+`),
	}
)

// lean takes comments and indentation out of our style sheet and script: they
// are for whoever reads the source, and a quarter of what would cross the wire.
// Licences, which begin with an exclamation mark, stay. No text of the two goes
// over several lines, none of the style sheet's holds a brace, a semicolon or a
// colon before a space, and htmx has but one line.
func lean(kind string, body []byte) []byte {
	comment, ours := comments[kind]
	if !ours {
		return body
	}
	return margins[kind].ReplaceAll(comment.ReplaceAll(body, nil), []byte("$1$2$3$4"))
}

// url is where a file is served. A name that does not exist gives an address
// that does not either, which a test of the pages finds.
func (s *static) url(name string) string { return "/static/" + s.hash + "/" + name }

func (p *portal) serveStatic(w http.ResponseWriter, r *http.Request) error {
	f, ok := p.static.files[r.PathValue("name")]
	if !ok || r.PathValue("hash") != p.static.hash {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return nil
	}
	body := f.body
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(r) {
		if small := f.gzipped(); small != nil {
			h.Set("Content-Encoding", "gzip")
			body = small
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever hung up needs no answer
	return nil
}

// packers are used again: each holds 800 KB of tables.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // a buffer never fails
	_ = z.Close()
	return b.Bytes()
}

// squeezed is gzipped for what is packed once and sent to everybody.
func squeezed(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails for unknown levels only
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// takesGzip reads Accept-Encoding as far as it matters here (RFC 9110
// §12.5.3): gzip named, and not with a weight of zero.
func takesGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		weight, has := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !has || err == nil && q > 0
	}
	return false
}
