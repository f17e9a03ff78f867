package trail

import "testing"

func TestWhatLooksLikeANumberIsHiddenWhereverItStands(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "",
		"13800000001":                    "138******01",
		"8613800000001":                  "86138******01",
		"008613800000001":                "0086138******01",
		"u13800000001,13900000002":       "u138******01,139******02",
		"20260101000000000000001":        "20260101000000000000001", // a sendid
		"order-4711":                     "order-4711",
		"号码13800000001不存在":               "号码138******01不存在",
		"446655440000":                   "446655440000",
		"2026-01-01T00:00:00.000Z 23800": "2026-01-01T00:00:00.000Z 23800",
	} {
		if got := Mask(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
