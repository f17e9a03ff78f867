package push

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/codec/wire"
)

func TestCredentialsAreProvenOrRefused(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1465227303037)
	const (
		vector = "0bbbeef1171e800e6ce3225d46f4ce42" // of the provider's document: secret, 23rfsdf332, 1465227303037
		random = "23rfsdf332"
		stamp  = "1465227303037"
	)
	signed := func(secret, random, stamp string) wire.Credentials {
		sum := md5.Sum([]byte(secret + random + stamp))
		return wire.Credentials{Name: hex.EncodeToString(sum[:]), Random: random, Timestamp: stamp}
	}
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).UnixMilli(), 10) }
	static := Auth{Mode: Static, Name: fixed("admin"), Password: fixed("new"), PreviousPassword: fixed("old")}
	sign := Auth{Mode: MD5, AccessSecret: fixed("secret"), PreviousAccessSecret: fixed("older")}
	signAndPassword := Auth{Mode: MD5, AccessSecret: fixed("secret"), Password: fixed("new")}
	either := Auth{Mode: Either, Name: fixed("admin"), Password: fixed("new"), AccessSecret: fixed("secret")}
	nameless := Auth{Mode: Static, Password: fixed("new")}
	emptied := Auth{Mode: Either, Name: fixed("admin"), Password: fixed(""), AccessSecret: fixed("")}

	tests := map[string]struct {
		auth Auth
		c    wire.Credentials
		want refusal
	}{
		"static":                                  {static, wire.Credentials{Name: "admin", Password: "new"}, ""},
		"static, previous password":               {static, wire.Credentials{Name: "admin", Password: "old"}, ""},
		"static, wrong password":                  {static, wire.Credentials{Name: "admin", Password: "nEw"}, wrongCredentials},
		"static, no password":                     {static, wire.Credentials{Name: "admin"}, wrongCredentials},
		"static, wrong name":                      {static, wire.Credentials{Name: "Admin", Password: "new"}, wrongCredentials},
		"static, nothing":                         {static, wire.Credentials{}, wrongCredentials},
		"static does not take a digest":           {static, wire.Credentials{Name: vector, Random: random, Timestamp: stamp}, wrongCredentials},
		"static without a name":                   {nameless, wire.Credentials{Password: "new"}, ""},
		"static without a name, some name":        {nameless, wire.Credentials{Name: "x", Password: "new"}, wrongCredentials},
		"vector of the document":                  {sign, wire.Credentials{Name: vector, Random: random, Timestamp: stamp}, ""},
		"digest in capitals":                      {sign, wire.Credentials{Name: strings.ToUpper(vector), Random: random, Timestamp: stamp}, ""},
		"digest by the previous secret":           {sign, signed("older", random, stamp), ""},
		"digest by another secret":                {sign, signed("secre", "t"+random, stamp+"0"), wrongCredentials},
		"digest by no secret":                     {sign, signed("", random, stamp), wrongCredentials},
		"digest cut short":                        {sign, wire.Credentials{Name: vector[:30], Random: random, Timestamp: stamp}, wrongCredentials},
		"digest is no hex":                        {sign, wire.Credentials{Name: strings.Repeat("z", 32), Random: random, Timestamp: stamp}, wrongCredentials},
		"digest without random":                   {sign, signed("secret", "", stamp), wrongCredentials},
		"digits shifted from timestamp to random": {sign, wire.Credentials{Name: vector, Random: random + stamp[:3], Timestamp: stamp[3:]}, staleTimestamp},
		"digits shifted from random to timestamp": {sign, wire.Credentials{Name: vector, Random: random[:9], Timestamp: random[9:] + stamp}, wrongCredentials},
		"random with a padding byte":              {sign, signed("secret", "abc\x80", stamp), wrongCredentials},
		"random of 64":                            {sign, signed("secret", strings.Repeat("a", 64), stamp), ""},
		"random of 65":                            {sign, signed("secret", strings.Repeat("a", 65), stamp), wrongCredentials},
		"random with all that is allowed":         {sign, signed("secret", "azAZ09_-", stamp), ""},
		"timestamp in seconds":                    {sign, signed("secret", random, stamp[:10]), ""},
		"timestamp of eleven digits":              {sign, signed("secret", random, stamp[:11]), wrongCredentials},
		"timestamp with a sign":                   {sign, signed("secret", random, "+465227303"), wrongCredentials},
		"timestamp 300 s old":                     {sign, signed("secret", random, at(-300*time.Second)), ""},
		"timestamp 300 s ahead":                   {sign, signed("secret", random, at(300*time.Second)), ""},
		"timestamp 301 s old":                     {sign, signed("secret", random, at(-301*time.Second)), staleTimestamp},
		"timestamp 301 s ahead":                   {sign, signed("secret", random, at(301*time.Second)), staleTimestamp},
		"digest does not take static":             {sign, wire.Credentials{Name: "admin", Password: "new"}, wrongCredentials},
		"digest without its password":             {signAndPassword, signed("secret", random, stamp), wrongCredentials},
		"either, static":                          {either, wire.Credentials{Name: "admin", Password: "new"}, ""},
		"either, digest without a password":       {either, signed("secret", random, stamp), ""},
		"either, neither":                         {either, wire.Credentials{Name: "admin", Password: "x", Random: random, Timestamp: stamp}, wrongCredentials},
		"secrets emptied while running, static":   {emptied, wire.Credentials{Name: "admin"}, wrongCredentials},
		"secrets emptied while running, digest":   {emptied, signed("", random, stamp), wrongCredentials},
		"none":                                    {Auth{Mode: None}, wire.Credentials{}, ""},
		"unset mode refuses":                      {Auth{}, wire.Credentials{}, wrongCredentials},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.auth.check(test.c, now); got.refused != test.want {
				t.Errorf("refused %q, want %q", got.refused, test.want)
			}
		})
	}
	withPassword := signed("secret", random, stamp)
	withPassword.Password = "new"
	if got := signAndPassword.check(withPassword, now); got.refused != "" {
		t.Errorf("digest with its password refused: %s", got.refused)
	}
}

func TestRotatedSecretCountsAtOnce(t *testing.T) {
	t.Parallel()
	password := "one"
	a := Auth{Mode: Static, Name: fixed("admin"), Password: func() string { return password }}
	if got := a.check(wire.Credentials{Name: "admin", Password: "one"}, time.Time{}); got.refused != "" {
		t.Fatalf("refused: %s", got.refused)
	}
	password = "two"
	if got := a.check(wire.Credentials{Name: "admin", Password: "one"}, time.Time{}); got.refused == "" {
		t.Error("the old password still works")
	}
	if got := a.check(wire.Credentials{Name: "admin", Password: "two"}, time.Time{}); got.refused != "" {
		t.Errorf("the new password is refused: %s", got.refused)
	}
}

func TestEmptySecretIsAFaultThatNamesItsVariable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		auth Auth
		want []string // none: no fault
	}{
		"static":          {Auth{Mode: Static}, []string{"SMSBRIDGE_PUSH_PASSWORD"}},
		"md5":             {Auth{Mode: MD5, Password: fixed("x")}, []string{"SMSBRIDGE_PUSH_ACCESS_SECRET"}},
		"either":          {Auth{Mode: Either}, []string{"SMSBRIDGE_PUSH_PASSWORD", "SMSBRIDGE_PUSH_ACCESS_SECRET"}},
		"unknown mode":    {Auth{Mode: "basic"}, []string{"SMSBRIDGE_PUSH_AUTH"}},
		"none needs none": {Auth{Mode: None}, nil},
		"complete":        {Auth{Mode: Either, Password: fixed("a"), AccessSecret: fixed("b")}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.auth.validate()
			if (err == nil) != (len(test.want) == 0) {
				t.Fatalf("error %v, want mention of %v", err, test.want)
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %s", err, w)
				}
			}
		})
	}
}

func TestInboundPushesHaveCredentialsOfTheirOwn(t *testing.T) {
	t.Parallel()
	both := InboundAuth{Mode: Static, Name: fixed("mo"), Password: fixed("new"), PreviousPassword: fixed("old")}
	name := InboundAuth{Mode: Static, Name: fixed("mo")}
	password := InboundAuth{Mode: Static, Password: fixed("new")}
	for test, c := range map[string]struct {
		auth  InboundAuth
		given wire.Credentials
		want  refusal
	}{
		"both":                        {both, wire.Credentials{Name: "mo", Password: "new"}, ""},
		"previous password":           {both, wire.Credentials{Name: "mo", Password: "old"}, ""},
		"wrong password":              {both, wire.Credentials{Name: "mo", Password: "x"}, wrongCredentials},
		"wrong name":                  {both, wire.Credentials{Name: "x", Password: "new"}, wrongCredentials},
		"no credentials":              {both, wire.Credentials{}, wrongCredentials},
		"name alone":                  {name, wire.Credentials{Name: "mo"}, ""},
		"name alone, wrong":           {name, wire.Credentials{Name: "x"}, wrongCredentials},
		"password alone":              {password, wire.Credentials{Password: "new"}, ""},
		"password alone, wrong":       {password, wire.Credentials{Name: "mo"}, wrongCredentials},
		"nothing configured":          {InboundAuth{Mode: Static}, wire.Credentials{}, wrongCredentials},
		"nothing configured, a guess": {InboundAuth{Mode: Static}, wire.Credentials{Name: "mo", Password: "new"}, wrongCredentials},
		"none":                        {InboundAuth{Mode: None}, wire.Credentials{}, ""},
		"unset mode refuses":          {InboundAuth{Name: fixed("mo")}, wire.Credentials{Name: "mo"}, wrongCredentials},
	} {
		if got := c.auth.check(c.given); got.refused != c.want {
			t.Errorf("%s: refused %q, want %q", test, got.refused, c.want)
		}
	}
}

func TestTokenAndNameFollowTheirFiles(t *testing.T) {
	t.Parallel()
	var token, name atomic.Value
	token.Store("one")
	name.Store("admin")
	c := config(&sink{})
	c.Token = func() string { return token.Load().(string) }
	c.PreviousToken = fixed("zero")
	c.Auth.Name = func() string { return name.Load().(string) }
	s := started(t, c)
	post := func(want int, token, name string) {
		t.Helper()
		if got := s.post(t, "/push/"+token+"/report", strings.Replace(goodReport, "admin", name, 1)); got.status != want {
			t.Errorf("token %s, name %s: status %d, want %d", token, name, got.status, want)
		}
	}
	post(200, "one", "admin")
	post(200, "zero", "admin")
	token.Store("two")
	name.Store("other")
	post(404, "one", "admin")
	post(401, "two", "admin")
	post(200, "two", "other")
}
