package main

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/forge/github"
)

type manifestOptions struct {
	bot, name, owner, forge, forgeName string
	link                               bool
}

func (a *app) githubManifest() *cobra.Command {
	var o manifestOptions
	cmd := &cobra.Command{
		Use:   "github-app-manifest",
		Short: "Print the manifest of the GitHub App that the bot is, and a link that creates it",
		Long: `Print, as JSON, the manifest of a GitHub App with the permissions and events that
the bot needs, and no more. The link that is printed beside it, to stderr, opens
the page of GitHub that creates such an App, with all of that filled in. What is
left to do there is to enter the webhook's secret, to create the App, and to
download its private key; then install the App where it is to work.`,
		Example: `  odyssey-bot github-app-manifest --bot https://bot.example.com --owner acme
  xdg-open "$(odyssey-bot github-app-manifest --bot https://bot.example.com --link)"
  odyssey-bot github-app-manifest --bot https://bot.example.com --forge https://github.example.com --forge-name enterprise`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return a.printManifest(&o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.bot, "bot", "", "`URL` under which GitHub reaches the bot's listener for webhooks (required)")
	flags.StringVar(&o.name, "name", "", "name of the App, which nobody else on GitHub has (default odyssey-OWNER)")
	flags.StringVar(&o.owner, "owner", "", "`ORGANISATION` that the App is to belong to (default: who opens the link)")
	flags.StringVar(&o.forge, "forge", "https://github.com", "`URL` of the start page, for an Enterprise Server")
	flags.StringVar(&o.forgeName, "forge-name", "github", "`NAME` that odyssey.yaml gives this GitHub, where there are several")
	flags.BoolVar(&o.link, "link", false, "print the link alone")
	return cmd
}

var ownerRE = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func (a *app) printManifest(o *manifestOptions) error {
	if o.bot == "" {
		return cli.Usagef("--bot is missing: the URL under which GitHub reaches the bot, for example https://bot.example.com")
	}
	if o.owner != "" && !ownerRE.MatchString(o.owner) {
		return cli.Usagef("--owner: %q is no organisation's name", o.owner)
	}
	manifest, err := github.NewManifest(cmp.Or(o.name, "odyssey-"+cmp.Or(o.owner, "bot")), o.bot, o.forgeName)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	link, err := manifest.Link(o.forge, o.owner)
	if err != nil {
		return cli.Usagef("--forge: %w", err)
	}
	if o.link {
		_, err := fmt.Fprintln(a.stdout, link)
		return err
	}
	text, err := manifest.JSON()
	if err != nil {
		return err
	}
	if _, err := a.stdout.Write(text); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, `To create the App, open
  %s
and there
  - enter a webhook secret (openssl rand -hex 32), which goes into webhookSecretFile,
  - create the App, whose number goes into appID,
  - generate a private key, which goes into privateKeyFile,
  - install the App where it is to work.
`, link)
	return nil
}
