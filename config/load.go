package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

const prefix = "SMSBRIDGE_"

// Load reads the environment of the process. The error is of type Faults and
// holds everything that is wrong; the Config beside it is then filled as far as
// it could be, for being printed and for nothing else.
func Load() (Config, error) {
	var (
		c Config
		k checker
	)
	vars := c.variables()
	k.refuseUnknown(vars)
	for _, v := range vars {
		k.read(v)
	}
	k.judge(&c)
	return c, k.err()
}

// LoadTools is Load for whatever does not submit and takes no pushes: of what is
// missing or wrong it reports only what such a tool uses, the settings of Kafka,
// topics and commands, and variables that nobody knows. So an operator's machine
// needs no secret of the provider.
func LoadTools() (Config, error) {
	c, err := Load()
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		return c, err
	}
	area := make(map[string]string)
	for _, v := range c.variables() {
		area[prefix+v.name], area[prefix+v.name+"_FILE"] = v.area, v.area
	}
	faults = slices.DeleteFunc(faults, func(f Fault) bool {
		return !slices.Contains([]string{"", "Kafka", "Topics", "Commands"}, area[f.Variable])
	})
	if len(faults) > 0 {
		return c, faults
	}
	return c, nil
}

// ReportSecrets has log told when a secret's file changes or cannot be read
// any more. Without it that happens in silence.
func (c *Config) ReportSecrets(log *slog.Logger) {
	for _, v := range c.variables() {
		if secret, ok := reflect.TypeAssert[Secret](v.value); ok && secret.IsSet() {
			secret.state.log.Store(log)
		}
	}
}

// variable is one field of a Config and what its tags say.
type variable struct {
	name  string // without prefix
	area  string // the struct it stands in
	field reflect.StructField
	value reflect.Value
}

// variables lists the fields of c in the order in which they stand there.
func (c *Config) variables() []variable {
	var vars []variable
	areas := reflect.ValueOf(c).Elem()
	for i := range areas.NumField() {
		area := areas.Field(i)
		for j := range area.NumField() {
			field := area.Type().Field(j)
			vars = append(vars, variable{
				name:  field.Tag.Get("envconfig"),
				area:  areas.Type().Field(i).Name,
				field: field,
				value: area.Field(j),
			})
		}
	}
	return vars
}

func (v variable) isSecret() bool { return v.field.Type == reflect.TypeFor[Secret]() }

// fallback is the default, in which ${NAME} stands for what names gives.
func (v variable) fallback(names func(string) string) string {
	return os.Expand(v.field.Tag.Get("default"), func(name string) string {
		if name == "TMPDIR" {
			return filepath.Clean(os.TempDir())
		}
		return names(name)
	})
}

// effective is the value of a variable of ours, or else its default, which
// itself names no other.
func effective(name string) string {
	if value := os.Getenv(prefix + name); value != "" {
		return value
	}
	return defaults[name]
}

// roles are those that the process is to take, read before their turn.
func roles() List {
	var roles List
	_ = roles.Decode(effective("ROLES")) // a List takes any text
	return roles
}

// defaults holds what the tags give as default, by variable.
var defaults = func() map[string]string {
	m := make(map[string]string)
	for _, v := range new(Config).variables() {
		m[v.name] = v.field.Tag.Get("default")
	}
	return m
}()

// read fills one variable and checks it against its own tags.
func (k *checker) read(v variable) {
	given := os.Getenv(prefix+v.name) != ""
	if v.isSecret() {
		if file := os.Getenv(prefix + v.name + "_FILE"); file != "" {
			k.readFile(v, file, given)
			return
		}
	}
	if role := v.field.Tag.Get("required"); !given && role != "" && roles().Has(role) {
		k.require(false, "is required", "set it to: "+v.field.Tag.Get("desc"), v.name)
		return
	}
	if err := v.decode(given); err != nil {
		// Its text may quote the value; what kind of value it should be is enough.
		k.fault(v.name, "is not "+kind(v), "write it like "+example(v))
		return
	}
	k.limits(v)
}

// decode has envconfig fill the field, from the environment or by its default.
//
// envconfig stops at the first fault, falls back to the name without its prefix
// (somebody else's PROVIDER_URL would be taken for ours) and takes an empty
// variable for a value. So it is given one field at a time, under its full
// name, and a name that cannot exist where the variable is empty.
func (v variable) decode(given bool) error {
	name := prefix + v.name
	if !given {
		name = "="
	}
	tag := "envconfig:" + strconv.Quote(name) + " default:" + strconv.Quote(v.fallback(effective))
	one := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: v.field.Name, Type: v.field.Type, Tag: reflect.StructTag(tag)},
	}))
	if err := envconfig.Process("", one.Interface()); err != nil {
		return err
	}
	v.value.Set(one.Elem().Field(0))
	return nil
}

func (k *checker) readFile(v variable, file string, given bool) {
	if given {
		k.fault(v.name, "is set beside "+prefix+v.name+"_FILE", "keep one of the two")
		return
	}
	secret, err := openSecret(prefix+v.name, file)
	if err != nil {
		k.fault(v.name+"_FILE", "names a file that "+err.Error(), "name a readable file that holds the secret and nothing else")
		return
	}
	v.value.Set(reflect.ValueOf(secret))
}

// limits checks a value against its tags min, max and oneof.
func (k *checker) limits(v variable) {
	tag := v.field.Tag
	if choices := strings.Fields(tag.Get("oneof")); len(choices) > 0 && v.value.String() != "" {
		for _, choice := range choices {
			if v.value.String() == choice {
				return
			}
		}
		k.fault(v.name, "is none of its choices", "write one of "+strings.Join(choices, ", "))
		return
	}
	least, most := tag.Get("min"), tag.Get("max")
	if least == "" {
		return
	}
	value := number(v.value)
	// Written so that NaN, which envconfig reads happily, is outside.
	if !(value >= limit(v, least) && value <= limit(v, most)) {
		k.fault(v.name, fmt.Sprintf("is outside of %s to %s", least, most), "choose a value between them")
	}
}

func number(v reflect.Value) float64 {
	if v.CanFloat() {
		return v.Float()
	}
	return float64(v.Int())
}

// limit reads a tag of ours; one that cannot be read is a mistake in this
// package, which every test of it would meet.
func limit(v variable, text string) float64 {
	if v.field.Type == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		return float64(d)
	}
	if v.field.Type == reflect.TypeFor[Size]() {
		var size Size
		if err := size.Decode(text); err != nil {
			panic(err)
		}
		return float64(size)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return f
}

// kind and example say what a variable should have looked like.
func kind(v variable) string {
	switch v.value.Interface().(type) {
	case time.Duration:
		return "a duration"
	case int:
		return "a whole number"
	case float64:
		return "a number"
	case Switch:
		return "true or false"
	case Networks:
		return "a list of networks"
	case Size:
		return "a size"
	case Digits:
		return "a number of digits from 0 to 20"
	}
	return "readable"
}

func example(v variable) string {
	switch v.value.Interface().(type) {
	case time.Duration:
		return "500ms, 90s, 5m or 48h"
	case Switch:
		return "true or false"
	case Networks:
		return "10.0.0.0/8,192.0.2.7"
	case Size:
		return "512MiB or 1GiB"
	case Digits:
		return "3"
	}
	return "10"
}
