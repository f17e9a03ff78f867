package config

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Print writes every variable with its value, its default and what it is for,
// in the form of an environment file. Secrets are stars.
func (c *Config) Print(w io.Writer) error {
	var out bytes.Buffer
	area := ""
	for _, v := range c.variables() {
		if v.area != area {
			fmt.Fprintf(&out, "\n## %s\n", v.area)
			area = v.area
		}
		fmt.Fprintf(&out, "\n# %s.%s\n", capital(v.field.Tag.Get("desc")), notes(v))
		name, value := show(v)
		fmt.Fprintf(&out, "%s%s=%s\n", prefix, name, value)
	}
	_, err := out.WriteTo(w)
	return err
}

// notes says what else is fixed about a variable.
func notes(v variable) string {
	var b strings.Builder
	tag := v.field.Tag
	if choices := tag.Get("oneof"); choices != "" {
		fmt.Fprintf(&b, " One of %s.", strings.Join(strings.Fields(choices), ", "))
	}
	if least := tag.Get("min"); least != "" {
		fmt.Fprintf(&b, " From %s to %s.", least, tag.Get("max"))
	}
	if v.isSecret() {
		fmt.Fprintf(&b, " Secret; may be a file's name in %s%s_FILE.", prefix, v.name)
	}
	switch {
	case tag.Get("required") != "":
		fmt.Fprintf(&b, " Required by the role %s.", tag.Get("required"))
	case tag.Get("default") == "":
		b.WriteString(" Default: empty.")
	default:
		fmt.Fprintf(&b, " Default: %s", v.fallback(named))
	}
	return b.String()
}

// named shows a default that is another variable's: by that one's own default,
// or where it has none by its name.
func named(name string) string {
	if value := defaults[name]; value != "" {
		return value
	}
	return prefix + name
}

// show gives a variable as it would be set: a secret that came from a file by
// that file's name, any other as stars.
func show(v variable) (name, value string) {
	switch value := v.value.Interface().(type) {
	case Secret:
		if value.IsSet() && value.state.file != "" {
			return v.name + "_FILE", value.state.file
		}
		return v.name, value.String()
	case time.Duration:
		return v.name, shortDuration(value)
	case float64:
		return v.name, strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return v.name, hideLogin(fmt.Sprint(value))
	}
}

// hideLogin puts stars in the place of what a URL may hold of a secret: the login
// before its host, and the values of its query. Such a URL is refused, but a
// configuration with faults is printed too.
func hideLogin(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text
	}
	rest, query, asked := strings.Cut(rest, "?")
	host, path, below := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 { // behind a slash too, which passwords may hold
		host, path, below = stars+rest[i:], "", false
	}
	text = scheme + "://" + host
	if below {
		text += "/" + path
	}
	if asked && query != "" {
		text += "?" + stars
	}
	return text
}

// shortDuration writes 24h where String writes 24h0m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
