package model_test

import (
	"math"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestTheWaitAfterEachFailure(t *testing.T) {
	const s = time.Second
	pauses := []time.Duration{0, 0, 0, 0, 0, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s, 300 * s}
	for n, pause := range pauses {
		f := model.Failures{Count: n, LastAt: noon}
		for _, at := range []time.Duration{0, s, pause - s, pause, pause + s} {
			if at < 0 {
				continue
			}
			want := max(0, pause-at)
			if got := f.Wait(noon.Add(at)); got != want {
				t.Errorf("%d failures, %v after the last: wait %v, want %v", n, at, got, want)
			}
		}
	}
	for _, n := range []int{64, 65, 1000, math.MaxInt32, math.MaxInt} {
		if got := (model.Failures{Count: n, LastAt: noon}).Wait(noon); got != 5*time.Minute {
			t.Errorf("%d failures: wait %v", n, got)
		}
	}
	for _, n := range []int{-1, math.MinInt} {
		if got := (model.Failures{Count: n, LastAt: noon}).Wait(noon); got != 0 {
			t.Errorf("%d failures: wait %v", n, got)
		}
	}
}

func TestACrowdMayTryOnceInThirtySeconds(t *testing.T) {
	const s = time.Second
	tests := []struct {
		count int
		at    time.Duration
		want  time.Duration
	}{
		{0, 0, 0},
		{19, 0, 0},
		{20, 0, 30 * s},
		{20, s, 29 * s},
		{20, 29 * s, s},
		{20, 30 * s, 0},
		{20, 31 * s, 0},
		{21, 29 * s, s},
		{21, 30 * s, 0},
		{math.MaxInt, 0, 30 * s},
		{math.MaxInt, 30 * s, 0},
	}
	for _, tt := range tests {
		f := model.Failures{Count: tt.count, LastAt: noon}
		if got := f.CrowdWait(noon.Add(tt.at)); got != tt.want {
			t.Errorf("%d failures, %v after the last: wait %v, want %v", tt.count, tt.at, got, tt.want)
		}
	}
}

func TestWrongCodesAreAnHourApartAfterAHundred(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		count    int
		at, want time.Duration
	}{
		{19, 0, 0}, {20, 0, 30 * s}, {20, 30 * s, 0},
		{99, 0, 30 * s}, {99, 29 * s, s}, {99, 30 * s, 0},
		{100, 0, time.Hour}, {100, 30 * s, time.Hour - 30*s}, {100, time.Hour - s, s}, {100, time.Hour, 0},
		{math.MaxInt, 0, time.Hour}, {math.MaxInt, day - s, 0}, {math.MaxInt, day, 0},
	} {
		f := model.Failures{Count: tt.count, LastAt: noon}
		if got := f.CodesWait(noon.Add(tt.at)); got != tt.want {
			t.Errorf("%d wrong codes, %v after the last: wait %v, want %v", tt.count, tt.at, got, tt.want)
		}
	}
}

func TestAFailureIsTroubleAtTheFifthAndSeveralFromThen(t *testing.T) {
	for n := range 8 {
		f := model.Failures{Count: n}
		if f.Trouble() != (n == 5) || f.Several() != (n >= 5) {
			t.Errorf("%d: trouble %v, several %v", n, f.Trouble(), f.Several())
		}
	}
}

func TestFailuresAreForgottenAfterADay(t *testing.T) {
	const s = time.Second
	f := model.Failures{Count: 100, LastAt: noon}
	for at, want := range map[time.Duration]int{0: 101, day - s: 101, day: 1, day + s: 1} {
		now := noon.Add(at)
		if got := f.Next(now); got.Count != want || !got.LastAt.Equal(now) {
			t.Errorf("%v after the last: %+v, want %d", at, got, want)
		}
	}
	if f.Wait(noon.Add(day)) != 0 || f.CrowdWait(noon.Add(day)) != 0 {
		t.Error("a day later there is still a wait")
	}
}

func TestFiveFailuresAreFree(t *testing.T) {
	var f model.Failures
	for n := range 5 {
		if got := f.Wait(noon); got != 0 {
			t.Errorf("after %d failures: wait %v", n, got)
		}
		f = f.Next(noon)
	}
	if f.Count != 5 || f.Wait(noon) != time.Second {
		t.Errorf("%+v: wait %v, want a second before the sixth", f, f.Wait(noon))
	}
}

// Whoever waits as told is slowed to twelve tries an hour, and a bucket with
// nothing in it is open.
func TestAGuesserGetsFewTries(t *testing.T) {
	f, now, tries := model.Failures{}, noon, 0
	for now.Before(noon.Add(day)) {
		f = f.Next(now)
		tries++
		now = now.Add(f.Wait(now))
		if tries > 1000 {
			t.Fatal("more than 1000 tries in a day")
		}
	}
	if tries < 280 || tries > 310 {
		t.Errorf("%d tries in a day", tries)
	}
	if (model.Failures{}).Wait(noon) != 0 || (model.Failures{}).CrowdWait(noon) != 0 {
		t.Error("an empty bucket is closed")
	}
}

func TestNetworks(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"192.0.2.1", "192.0.2.0/24"},
		{"192.0.2.255", "192.0.2.0/24"},
		{"192.0.3.0", "192.0.3.0/24"},
		{"127.0.0.1", "127.0.0.0/24"},
		{"0.0.0.0", "0.0.0.0/24"},
		{"255.255.255.255", "255.255.255.0/24"},
		{"::ffff:192.0.2.77", "192.0.2.0/24"},
		{"::ffff:c000:24d", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:DB8:1:2::", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"::1", "::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"fe80::1", "fe80::/64"},
		{"", ""},
		{"192.0.2", ""},
		{"192.0.2.256", ""},
		{"192.0.2.01", ""},
		{"192.0.2.1:80", ""},
		{"[2001:db8::1]", ""},
		{"[2001:db8::1]:80", ""},
		{"192.0.2.0/24", ""},
		{" 192.0.2.1", ""},
		{"192.0.2.1\n", ""},
		{"localhost", ""},
		{"unknown", ""},
		{"@", ""},
	}
	for _, tt := range tests {
		if got := model.Network(tt.addr); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.addr, got, tt.want)
		}
	}
}

func TestALineIsWhatOneCustomerHas(t *testing.T) {
	for network, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "2001:db8:1:2::/64": "2001:db8:1::/48", "2001:db8:1:ffff::/64": "2001:db8:1::/48",
		"2001:db8:2::/64": "2001:db8:2::/48", "": "", "nowhere": "nowhere",
	} {
		if got := model.Line(network); got != want {
			t.Errorf("%q is in line %q, want %q", network, got, want)
		}
	}
}
