package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/secret"
)

// codeVariable may hold the subscription code.
const codeVariable = "ODOO_ENTERPRISE_SUBSCRIPTION_CODE"

// maxBundle is far above what Odoo's bundles have, in bytes.
const maxBundle = 4 << 30

type downloadOptions struct {
	baseURL, platform    string
	codeFile, code       string
	dir, name            string
	overwrite            bool
	checkOnly, skipCheck bool
	timeout              seconds
	debug                bool
	reportJSON           string
	jsonOnly             bool
}

func (a *app) enterpriseDownload() *cobra.Command {
	var o downloadOptions
	cmd := &cobra.Command{
		Use:   "enterprise-download",
		Short: "Download a bundle of Odoo Enterprise with a subscription code",
		Long: `Download the source bundle of Odoo Enterprise from Odoo's portal, for whoever has
a subscription. The file appears under its name when it is complete, and was read
through and found good.

The subscription code is a secret. It comes from --subscription-code-file, from
$` + codeVariable + `, or is asked for on a terminal, where it does not show. With
--subscription-code it shows in the list of processes. It goes to the portal and
nowhere else: no error, log or report has it.

A download that breaks off, or is interrupted, is gone on with by the next one
into the same directory, if the portal allows it and still has the same file.

Exit codes: 0 done, 1 failed, 2 wrong usage, or the portal refuses the code.`,
		Example: `  odyssey-bot enterprise-download --platform-version src_18e --subscription-code-file /run/secrets/odoo-code --output-dir bundles
  odyssey-bot enterprise-download --check-only          # is the subscription good?`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runEnterpriseDownload(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.baseURL, "base-url", "https://www.odoo.com", "`URL` of the portal")
	flags.StringVar(&o.platform, "platform-version", "src_17e", "what to download: src_17e is the sources of Enterprise 17.0")
	flags.StringVar(&o.codeFile, "subscription-code-file", "", "`FILE` with the subscription code, readable by its owner alone")
	flags.StringVar(&o.code, "subscription-code", "", "the subscription `CODE` itself")
	flags.StringVar(&o.dir, "output-dir", ".", "`DIR` to store the bundle in")
	flags.StringVar(&o.name, "filename", "", "`NAME` to store it under (default: as the portal names it)")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace a file of that name")
	flags.BoolVar(&o.checkOnly, "check-only", false, "only ask whether the subscription is good")
	flags.BoolVar(&o.skipCheck, "skip-check", false, "do not ask that before the download")
	o.timeout = seconds(time.Minute)
	flags.Var(&o.timeout, "timeout", "how `LONG` the portal may say nothing, in seconds or such as 2m")
	flags.BoolVar(&o.debug, "debug-http", false, "log each request, without what is secret in it")
	flags.StringVar(&o.reportJSON, "report-json", "", "write the report to a `FILE`, too")
	flags.BoolVar(&o.jsonOnly, "json-only", false, "print only the report")
	return cmd
}

// seconds is a flag of a duration; a plain number counts seconds.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }

// Type implements pflag.Value.
func (*seconds) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, isNumber := strconv.Atoi(text); isNumber == nil && n < 1_000_000 {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err == nil && d <= 0 {
		err = errors.New("must be more than 0")
	}
	*s = seconds(d)
	return err
}

// downloadReport is the JSON report.
type downloadReport struct {
	PlatformVersion string `json:"platform_version"`
	Checked         bool   `json:"subscription_checked"`
	*portal.File
}

func (a *app) runEnterpriseDownload(ctx context.Context, o *downloadOptions) error {
	client, err := a.openPortal(o)
	if err != nil {
		return err
	}
	defer client.Close()
	report := downloadReport{PlatformVersion: o.platform, Checked: !o.skipCheck}
	if report.Checked {
		if err := client.Check(ctx); err != nil {
			return downloadExit(err)
		}
	}
	if !o.checkOnly {
		status := cli.NewStatus(a.stderr, a.log.Quiet)
		report.File, err = client.Download(ctx, portal.Target{
			Dir: o.dir, Name: o.name, Overwrite: o.overwrite, Check: func(ctx context.Context, path string) error { return archive.Check(ctx, path, archive.DefaultLimits()) },
			Progress: func(n, of int64) {
				if of > 0 {
					status.Say("%d of %d MiB, %d%%", n>>20, of>>20, n*100/of)
				} else {
					status.Say("%d MiB", n>>20)
				}
			},
		})
		status.Finish()
		if err != nil {
			return downloadExit(err)
		}
	}
	return a.printDownload(o, report)
}

func (a *app) openPortal(o *downloadOptions) (*portal.Client, error) {
	if o.checkOnly && o.skipCheck {
		return nil, cli.Usagef("--check-only and --skip-check leave nothing to do")
	}
	code, err := a.subscriptionCode(o)
	if err != nil {
		return nil, err
	}
	options := portal.Options{BaseURL: o.baseURL, Platform: o.platform, Code: code, Timeout: time.Duration(o.timeout), MaxSize: maxBundle}
	if o.debug {
		if options.Log, err = a.log.Logger(a.stderr); err != nil {
			return nil, err
		}
	}
	client, err := portal.New(options)
	if err != nil {
		return nil, cli.Usagef("--base-url: %w", err)
	}
	return client, nil
}

// subscriptionCode takes the code from where it is, the most explicit place first.
func (a *app) subscriptionCode(o *downloadOptions) (secret.Text, error) {
	switch {
	case o.code != "" && o.codeFile != "":
		return secret.Text{}, cli.Usagef("give one of --subscription-code and --subscription-code-file")
	case o.codeFile != "":
		info, err := os.Stat(o.codeFile)
		if err != nil {
			return secret.Text{}, cli.Usagef("--subscription-code-file: %w", err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return secret.Text{}, cli.Usagef("--subscription-code-file: others than its owner may read %s, its mode is %#o\n  chmod 600 %s", o.codeFile, mode, o.codeFile)
		}
		code, err := secret.ReadFile(o.codeFile)
		if err != nil {
			return secret.Text{}, cli.Usagef("--subscription-code-file: %w", err)
		}
		return code, nil
	}
	code := o.code
	for _, kv := range a.environ {
		if value, ok := strings.CutPrefix(kv, codeVariable+"="); ok && code == "" {
			code = value
		}
	}
	if code == "" {
		var err error
		if code, err = askHidden(a.stderr); err != nil {
			return secret.Text{}, err
		}
	}
	if code == "" || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return secret.Text{}, cli.Usagef("the subscription code is empty, or has a space or a character beyond ASCII in it")
	}
	return secret.New(code), nil
}

// askHidden asks on the terminal; what is typed does not show.
func askHidden(w io.Writer) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", cli.Usagef("the subscription code is missing\n  name a file by --subscription-code-file, or set %s", codeVariable)
	}
	fmt.Fprint(w, "subscription code (not shown): ")
	defer fmt.Fprintln(w)
	code, err := term.ReadPassword(fd)
	return strings.TrimSpace(string(code)), err
}

func downloadExit(err error) error {
	if errors.Is(err, portal.ErrRefused) || errors.Is(err, portal.ErrExists) {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	return err
}

func (a *app) printDownload(o *downloadOptions, r downloadReport) error {
	if o.reportJSON != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if _, err := lock.WriteFile(o.reportJSON, append(data, '\n')); err != nil {
			return err
		}
	}
	if o.jsonOnly {
		return cli.PrintJSON(a.stdout, r)
	}
	w := bufio.NewWriter(a.stdout)
	if r.Checked {
		fmt.Fprintln(w, "the subscription is good")
	}
	if r.File != nil {
		fmt.Fprintf(w, "%s, %s, %d bytes, SHA-256 %s\n", r.Name, r.Type, r.Size, r.SHA256)
	}
	return w.Flush()
}
