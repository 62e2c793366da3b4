package model

import (
	"fmt"
	"net/netip"
	"time"
)

// LongestDelay is the longest that anybody has to wait after wrong sign-ins.
const LongestDelay = 5 * time.Minute

const (
	freeFailures   = 5
	crowdFailures  = 20
	crowdPause     = 30 * time.Second
	crowdCodes     = 100
	codesPause     = time.Hour
	forgetFailures = 24 * time.Hour
)

// FailuresFor is how long failures are remembered: after it a bucket is as good
// as none.
const FailuresFor = forgetFailures

// Failures is the wrong sign-ins counted in one bucket: a typed login from
// one client network, or one known device, or a login over all networks.
type Failures struct {
	Count  int
	LastAt time.Time
}

// Wait is how long a bucket is closed: five failures are free, then each
// doubles the pause, up to five minutes (product.md §4.8). The pause is
// announced at once and never slept through, so it costs the portal nothing.
func (f Failures) Wait(now time.Time) time.Duration {
	if f.Count < freeFailures || f.stale(now) {
		return 0
	}
	pause := LongestDelay
	if n := f.Count - freeFailures; n < 9 { // 2⁹ s is past five minutes
		pause = min(time.Second<<n, LongestDelay)
	}
	return max(0, f.LastAt.Add(pause).Sub(now))
}

// CrowdWait is how long a login is closed for all networks together: after 20
// failures one try each 30 seconds. It slows a guesser who has many networks
// without locking the member out: their own device, links and passkeys are
// never delayed.
func (f Failures) CrowdWait(now time.Time) time.Duration {
	if f.Count < crowdFailures || f.stale(now) {
		return 0
	}
	return max(0, f.LastAt.Add(crowdPause).Sub(now))
}

// CodesWait is CrowdWait for the codes of a second factor, of which there are
// only a million: at a try each 30 seconds, three of them being right at a time,
// one would be hit in two months. NIST SP 800-63B (rev. 4, §3.2.2) has 100 wrong
// ones in a row end it; here they make it one an hour, because whoever knows a
// password must not be able to lock its owner out for good.
func (f Failures) CodesWait(now time.Time) time.Duration {
	if f.Count < crowdCodes || f.stale(now) {
		return f.CrowdWait(now)
	}
	return max(0, f.LastAt.Add(codesPause).Sub(now))
}

// Next is the bucket after one more failure.
func (f Failures) Next(now time.Time) Failures {
	if f.stale(now) {
		f.Count = 0
	}
	return Failures{Count: f.Count + 1, LastAt: now}
}

// Trouble reports whether this failure is the one at which the account's holder
// is written to: it may be they who cannot get in (product.md §4.8).
func (f Failures) Trouble() bool { return f.Count == freeFailures }

// Several reports whether there were so many failures that it is no slip any
// more.
func (f Failures) Several() bool { return f.Count >= freeFailures }

// stale: after a day without a failure the bucket is empty.
func (f Failures) stale(now time.Time) bool { return !now.Before(f.LastAt.Add(forgetFailures)) }

// Network is the part of a client's address that one household or office
// shares: /24 of IPv4, /64 of IPv6. "" for what is no address.
func Network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// Line is the part of a [Network] that one customer of a provider has at the
// most: /48 of IPv6 (RFC 6177). By it people take turns where nothing is counted
// against them; a line can have 65,536 networks, all of them its own.
func Line(network string) string {
	p, err := netip.ParsePrefix(network)
	if err != nil || p.Addr().Is4() {
		return network
	}
	return netip.PrefixFrom(p.Addr(), 48).Masked().String()
}

func tooLong(n, longest int) string {
	return fmt.Sprintf("This has %d characters; there is room for %d.", n, longest)
}
