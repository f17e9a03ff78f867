// Package lab puts a broker, the provider's simulator and connectors together as
// processes of their own, the way they meet in production, so that each can be
// killed, frozen and measured; and it writes down what they do as a
// trial.History. What it knows it knows from outside: it reads topics by
// franz-go, the provider's ledger over HTTP, and imports nothing of the
// connector.
package lab
