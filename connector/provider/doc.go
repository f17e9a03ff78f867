// Package provider is the HTTP client of the SMS provider. It makes one call,
// once, and says what is known of it afterwards.
package provider
