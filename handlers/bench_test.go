package handlers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"latchkey/db/dbtest"
)

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		if _, err := newStatic(os.DirFS("../static")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignInPage(b *testing.B) {
	s := newSite(b)
	benchmark(b, s, "/sign-in", "")
}

func BenchmarkSettingsTab(b *testing.B) {
	s := newSite(b)
	id := dbtest.MemberWithAccount(b, s.db, "Nina Holm", "nina@example.org")
	owner := s.owner(b)
	var cookie string
	for _, c := range owner.client.Jar.Cookies(owner.request("GET", "/", "").URL) {
		cookie += c.Name + "=" + c.Value + "; "
	}
	benchmark(b, s, record(id)+"/settings", cookie)
}

// benchmark asks for one page, from all cores at once, past the network.
func benchmark(b *testing.B, s *site, path, cookie string) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Cookie", cookie)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			s.portal.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatalf("%s: %d", path, w.Code)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
