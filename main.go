// Command latchkey gets the members of a small association signed in, and
// keeps them signed in: one binary, one SQLite file, run by the association
// itself.
//
// This file is the map. What the portal knows and the rules by which it may
// change are in db, its pages in views, its routes in handlers, the letters'
// way out in handlers/postman, and the command line in handlers/cli.
package main

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the association's clock time, also where the machine has no zones

	"golang.org/x/sync/errgroup"

	"latchkey/handlers"
	"latchkey/handlers/cli"
	"latchkey/handlers/postman"
)

// Named one by one: a stray file in the folder is never served.
//
//go:embed static/app.css static/app.js static/htmx-4.0.1.min.js static/favicon.svg static/mark.svg static/touch-icon.png
//go:embed static/young-serif-latin.woff2 static/young-serif-latin-east.woff2 static/young-serif-latin-ext.woff2
var static embed.FS

// lastRequests is how long requests may still run once the portal is told to
// stop. A sign-in waiting for its turn to be hashed is the slowest of them.
const lastRequests = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(cli.Run(ctx, os.Args[1:], serve))
}

// serve answers requests and delivers letters until ctx is done. Then running
// requests are answered, and the letter in hand is finished.
func serve(ctx context.Context, p cli.Portal) error {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return err
	}
	handler, err := handlers.New(handlers.Config{
		DB: p.DB, Log: p.Log, Static: files, SetupCode: p.SetupCode, Demo: p.Demo,
		TrustedProxies: p.TrustedProxies,
	})
	if err != nil {
		return err
	}
	server := handlers.NewServer(handler, p.Log)

	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return postman.New(p.DB, p.Log).Run(ctx) })
	running.Go(func() error { return p.Tidy(ctx) })
	running.Go(func() error {
		if err := server.Serve(p.Listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	running.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			p.Log.Warn("some requests were still running and are cut off", "after", lastRequests)
			return server.Close()
		}
		return nil
	})
	return running.Wait()
}
