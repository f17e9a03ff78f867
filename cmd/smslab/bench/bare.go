package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"smsbridge/connector/kafkaio"
)

// Bare serves pushes with nothing but net/http and the connector's own producer,
// until ctx ends: 200 when the body is on the topic, and no questions asked.
func Bare(ctx context.Context, listener net.Listener, brokers []string, topic string) error {
	client, err := kafkaio.Open(kafkaio.Config{Brokers: brokers, ClientID: "bare", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	producer := client.NewProducer(kafkaio.ProducerConfig{})
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var fields url.Values
			if fields, err = url.ParseQuery(string(body)); err == nil {
				_, err = producer.Produce(r.Context(), kafkaio.Message{
					Topic: topic, Partition: kafkaio.AnyPartition, Key: []byte(fields.Get("sendid")), Value: body,
				})
			}
		}
		if err != nil {
			http.Error(w, "not written", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "OK") //nolint:errcheck // the client has gone
	})}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // it is over
	defer stop()
	err = server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, producer.Close(closing), client.Close())
}
