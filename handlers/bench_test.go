package handlers

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
)

// BenchmarkPages gives the requests per second of the two pages that matter,
// and as what part of a ceiling: a bare handler that runs one prepared select
// by primary key through the same driver and sends a page of the same size.
// Rounds alternate, so a machine that grows slower meanwhile does so for all.
func BenchmarkPages(b *testing.B) {
	folder := b.TempDir()
	d, clock := dbtest.OpenIn(b, folder, db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(b, d, clock)
	id := dbtest.MemberWithAccount(b, s.db, "Nina Holm", "nina@example.org")
	owner := s.owner(b)
	var cookie string
	for _, c := range owner.client.Jar.Cookies(owner.request("GET", "/", "").URL) {
		cookie += c.Name + "=" + c.Value + "; "
	}
	raw, err := sql.Open("sqlite3", "file:"+filepath.Join(folder, "latchkey.db")+"?_query_only=1")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()

	pages := []struct{ name, path string }{{"settings", record(id) + "/settings"}, {"sign-in", "/sign-in"}}
	rates := map[string][]float64{}
	for b.Loop() {
		for _, p := range pages {
			size := len(ask(b, s.portal, p.path, cookie))
			rates[p.name] = append(rates[p.name], perSecond(b, s.portal, p.path, cookie))
			rates[p.name+"-ceiling"] = append(rates[p.name+"-ceiling"], perSecond(b, ceiling(b, raw, size), p.path, cookie))
		}
	}
	for _, p := range pages {
		rate, most := median(rates[p.name]), median(rates[p.name+"-ceiling"])
		b.ReportMetric(rate, p.name+"/s")
		b.ReportMetric(rate/most, p.name+"/ceiling")
	}
}

// ceiling is the least that a page from a database can cost.
func ceiling(b *testing.B, raw *sql.DB, size int) http.Handler {
	b.Helper()
	one, err := raw.Prepare(`SELECT first_name FROM member WHERE id = ?`)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = one.Close() })
	page := bytes.Repeat([]byte("x"), size)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var name string
		if err := one.QueryRowContext(r.Context(), 1).Scan(&name); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(page)
	})
}

// round is how long one page is asked for before it is another's turn.
const round = 300 * time.Millisecond

// perSecond asks for one page from all cores at once, past the network.
func perSecond(b *testing.B, h http.Handler, path, cookie string) float64 {
	b.Helper()
	var asked atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for time.Since(began) < round {
				ask(b, h, path, cookie)
				asked.Add(1)
			}
		})
	}
	all.Wait()
	return float64(asked.Load()) / time.Since(began).Seconds()
}

func ask(b *testing.B, h http.Handler, path, cookie string) []byte {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Cookie", cookie)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		panic(fmt.Sprintf("%s: %d", path, w.Code)) // Fatal is not for other goroutines
	}
	return w.Body.Bytes()
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
