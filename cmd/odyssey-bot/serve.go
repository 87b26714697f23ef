package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/watch"
	"github.com/nuobit/odyssey/internal/web"
)

func (a *app) serve() *cobra.Command {
	var file string
	var jobs int
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take webhooks and comment commands, keep schedules, and do the work",
		Long: `Run the bot: it takes the forge's webhooks, obeys commands in comments, keeps the
schedules of the repositories, and opens, updates and closes pull requests. One
listener is for the forge, the other one for status pages, metrics and health
checks. What was delivered is kept until it is done, over crashes too.

SIGTERM, SIGHUP and Ctrl-C end it when running work has ended, or after the configured
time; a second one ends it at once.

Exit codes: 0 stopped, 1 failed, 2 wrong usage or invalid configuration.`,
		Example: `  odyssey-bot config check --server odyssey.yaml
  odyssey-bot serve --config odyssey.yaml`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runServe(cmd.Context(), file, jobs) },
	}
	cmd.Flags().StringVar(&file, "config", config.ServerFile, "configuration of the bot")
	cmd.Flags().IntVar(&jobs, "jobs", 16, "remotes asked at once, for each repository")
	return cmd
}

func (a *app) runServe(ctx context.Context, file string, jobs int) (err error) {
	log, err := a.log.Logger(a.stderr)
	if err != nil {
		return err
	}
	server, err := config.LoadServing(file)
	if err != nil {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	for _, warning := range server.Warnings {
		log.Warn("unwise configuration", "warning", warning)
	}
	metrics := web.NewMetrics(cli.Version())
	b, err := a.newBot(&server, file, jobs, log, metrics.Git)
	if err != nil {
		return err
	}
	b.Commands = true
	public, status, err := listen(ctx, &server)
	if err != nil {
		return err
	}
	q, err := queue.Open(ctx, queueOptions(&server, log))
	if err != nil {
		return errors.Join(fmt.Errorf("store: %w", err), public.Close(), status.Close())
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	s, err := a.newService(&server, file, b, q, metrics)
	if err != nil {
		return errors.Join(err, public.Close(), status.Close())
	}
	log.Info("serving", "webhooks", public.Addr().String(), "status", status.Addr().String())
	err = s.run(ctx, public, status)
	log.Info("stopped")
	return err
}

func listen(ctx context.Context, server *config.Server) (public, status net.Listener, err error) {
	var l net.ListenConfig
	if public, err = l.Listen(ctx, "tcp", server.Listen); err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if status, err = l.Listen(ctx, "tcp", server.StatusListen); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("statusListen: %w", err), public.Close())
	}
	return public, status, nil
}

func queueOptions(server *config.Server, log *slog.Logger) queue.Options {
	return queue.Options{
		Path: server.Store, URL: server.StoreURL, Log: log,
		Workers: server.Workers, Drain: server.Drain, Keep: server.Keep, JobTimeout: longest,
	}
}

// service is what serve consists of.
type service struct {
	log     *slog.Logger
	queue   *queue.Queue
	watcher *watch.Watcher
	worker  *bot.Worker
	web     *web.Server
	metrics *web.Metrics
}

func (a *app) newService(server *config.Server, file string, b *bot.Bot, q *queue.Queue, metrics *web.Metrics) (*service, error) {
	s := &service{log: b.Log, queue: q, metrics: metrics}
	forges, err := openForges(server, b.Log, func(name string) http.RoundTripper {
		return s.metrics.Transport(name, cleanhttp.DefaultPooledTransport())
	})
	if err != nil {
		return nil, err
	}
	if err := a.addMirrors(b, server, forges); err != nil {
		return nil, err
	}
	follow, err := followers(server)
	if err != nil {
		return nil, err
	}
	askUpstreams(b, forges, q)
	drivers := map[string]bot.Forge{}
	var sources []watch.Source
	var hooks []web.Hook
	for _, f := range forges {
		if q, ok := f.driver.(quoted); ok {
			if err := metrics.Quotas(f.config.Name, q.Quotas); err != nil {
				return nil, err
			}
		}
		if !f.config.Watches() {
			continue // it is asked about upstreams
		}
		receiver, err := f.receiver()
		if err != nil {
			return nil, fmt.Errorf("forge %s: %w", f.config.Name, err)
		}
		drivers[f.config.Name] = f.driver
		sources = append(sources, watch.Source{Config: f.config, Forge: f.driver})
		hooks = append(hooks, web.Hook{Forge: f.config.Name, Kind: f.config.Kind, Receiver: receiver})
	}
	s.watcher, err = watch.New(watch.Options{Queue: q, Sources: sources, Sweep: server.Sweep, Keep: server.Keep, Kinds: b.Kinds(), Followers: follow, Log: b.Log})
	if err != nil {
		return nil, err
	}
	s.worker = &bot.Worker{Bot: b, Forges: drivers, Reports: q, Learned: s.learned(b.Log), Crash: crash(), Dashboards: true}
	if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	s.web, err = web.New(web.Options{
		Hooks: hooks, Accepter: crashing(s.watcher), Store: q, Reports: q, Jobs: q, Repositories: s.repositories, Next: s.watcher.Next,
		Hosts: server.StatusHosts, ConfigFile: file, Version: cli.Version(), Metrics: s.metrics, Log: b.Log,
	})
	return s, err
}

// quoted is a driver of a forge that counts calls.
type quoted interface{ Quotas() []forge.Quota }

// learned hands the schedule of a policy that was read to the watcher.
func (s *service) learned(log *slog.Logger) func(context.Context, string, config.Repo) {
	return func(ctx context.Context, subject string, policy config.Repo) {
		if err := s.watcher.Learn(ctx, subject, policy); err != nil {
			log.Warn("schedule not kept", "repo", subject, "err", err)
		}
	}
}

// repositories lists what is watched for the status pages.
func (s *service) repositories() []web.Repository {
	var all []web.Repository
	for _, w := range s.watcher.Repositories() {
		repo := web.Repository{Subject: w.Subject, Forge: w.Forge, Name: w.Repo.String(), WebURL: w.WebURL}
		if w.Gone {
			repo.Gone = w.Error
		}
		all = append(all, repo)
	}
	return all
}

// Work does a job of any kind.
func (s *service) Work(ctx context.Context, job queue.Job) error {
	start := time.Now()
	var err error
	if job.Kind == watch.Sweep {
		if err = s.watcher.Work(ctx, job); err != nil {
			s.log.Warn("sweep failed", "forge", strings.TrimSuffix(job.Subject, ":"), "job", job.ID, "attempt", job.Attempt, "err", err)
		}
	} else {
		err = s.worker.Work(ctx, job)
	}
	took := time.Since(start)
	s.metrics.Job(job.Kind, result(err), took)
	if job.Kind == watch.Sweep && err == nil {
		s.metrics.Sweep(strings.TrimSuffix(job.Subject, ":"), took)
	}
	return err
}

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

// run serves until ctx ends. Deliveries are taken for as long as running jobs
// need to end.
func (s *service) run(ctx context.Context, public, status net.Listener) error {
	taking, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.web.Run(taking, public, status) })
	group.Go(func() error { return s.watcher.Run(ctx) })
	group.Go(func() error {
		defer end()
		return s.queue.Work(ctx, s)
	})
	group.Go(func() error {
		<-ctx.Done()
		s.log.Info("stopping: running jobs are given the time of drain to end")
		s.web.Drain()
		return nil
	})
	s.web.Started()
	return group.Wait()
}
