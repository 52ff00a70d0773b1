package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Health says what is wrong.
type Health interface {
	// Alive returns why the program cannot continue and should be restarted; nil if it can.
	Alive() []string
	// Ready returns what keeps the program from doing its work now; nil if nothing does.
	Ready() []string
}

const (
	headerWait   = 5 * time.Second
	closeWaitMax = time.Second
)

// Server serves one program.
type Server struct {
	listener net.Listener
	http     *http.Server
	serving  sync.WaitGroup
}

// Listen takes the address, so that nobody else can, and serves nothing yet. The error names the address.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve http on %s: %w", address, err)
	}
	return listener, nil
}

// Serve starts to serve on what Listen has taken.
func Serve(
	listener net.Listener, health Health, metrics prometheus.Gatherer, log *slog.Logger,
) *Server {
	s := &Server{
		listener: listener,
		http: &http.Server{
			Handler:           Handler(health, metrics),
			ReadHeaderTimeout: headerWait,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("http server ended", "error", err)
		}
	})
	return s
}

// Addr is the address that the server listens on, with the port that was chosen for port 0.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close stops the server; responses in progress get a second.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWaitMax)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
}

// Handler is the server's handler alone.
func Handler(health Health, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(renamed(metrics), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // some metrics are better than none
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, health.Alive())
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, append(health.Alive(), health.Ready()...))
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	// No /debug/pprof/cmdline: the command line holds no secret, but nobody needs it here.
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /{$}", index)
	return mux
}

// renamed takes _total off the names of gauges, which the hooks of the Kafka client put there: it is
// for counters.
func renamed(metrics prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := metrics.Gather()
		for _, f := range families {
			if name := strings.TrimSuffix(f.GetName(), "_total"); f.GetType() == dto.MetricType_GAUGE {
				f.Name = &name
			}
		}
		return families, err
	})
}

// answer writes ok, or one line for each thing that is wrong.
func answer(w http.ResponseWriter, wrong []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if len(wrong) == 0 {
		_, _ = fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprintln(w, strings.Join(wrong, "\n"))
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprint(w, "/metrics\n/healthz\n/readyz\n/debug/pprof/\n")
}
