package journal

import (
	"log/slog"
	"runtime"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

// fill puts ids into a store on the real disk.
func fill(b *testing.B, dir string, ids int64) {
	b.Helper()
	s, err := OpenStore(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	shelf := openShelf(b, s, 0)
	for n := range ids {
		at := time.Now().Add(-time.Duration(n%48) * time.Hour)
		shelf.put(numbered(n), entry{offset: n, status: sms.Accepted, at: at, done: n})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpenStore is what a restart adds to a take-over: a partition's ids
// are read into the filters.
func BenchmarkOpenStore(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, 1_000_000)
	for b.Loop() {
		s, err := OpenStore(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		openShelf(b, s, 0)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFreshID looks up an id that never came, and remembers it, against few
// and many that did.
func BenchmarkFreshID(b *testing.B) {
	for name, ids := range map[string]int64{"among 10k": 10_000, "among 5M": 5_000_000} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			fill(b, dir, ids)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s, err := OpenStore(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			shelf := openShelf(b, s, 0)
			runtime.GC()
			runtime.ReadMemStats(&after)
			// What the filling left to be merged is not the fresh id's to pay.
			if err := shelf.disk.DB.Compact(b.Context(), shelf.key(kindClaim), shelf.key(kindID+1), true); err != nil {
				b.Fatal(err)
			}
			n := ids
			for b.Loop() {
				id := numbered(n)
				if _, ok := shelf.first(id, n); ok {
					b.Fatal("barred")
				}
				shelf.put(id, entry{offset: n, status: sms.Accepted, at: time.Now(), done: n})
				n++
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		})
	}
}
