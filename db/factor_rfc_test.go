package db

import (
	"testing"
	"time"

	"latchkey/db/model"
)

// RFC 6238, Appendix B, SHA-1; an app shows the last six of its eight digits.
func TestTheCodesOfAnAppAreThoseOfTheRFC(t *testing.T) {
	code := appCode([]byte("12345678901234567890"))
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := code(model.AppStep(time.Unix(at, 0))); got != want[2:] {
			t.Errorf("at %d: %s, not %s", at, got, want[2:])
		}
	}
}

// RFC 4226, Appendix D.
func TestTheCodesOfTheFirstStepsAreThoseOfTheRFC(t *testing.T) {
	code := appCode([]byte("12345678901234567890"))
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := code(int64(step)); got != want {
			t.Errorf("step %d: %s, not %s", step, got, want)
		}
	}
}
