package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// LogFlags are the flags that say what goes to stderr.
type LogFlags struct {
	Quiet  bool
	Format string
	Level  string
}

// Register adds the flags to a command and all below it.
func (f *LogFlags) Register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.BoolVarP(&f.Quiet, "quiet", "q", false, "no progress and no log but errors")
	flags.StringVar(&f.Format, "log-format", "text", "format of the log: text or json")
	flags.StringVar(&f.Level, "log-level", "info", "least level that is logged: debug, info, warn or error")
}

// Logger makes the logger that the flags ask for.
func (f *LogFlags) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.Level)); err != nil {
		return nil, Usagef("--log-level is %q; it must be debug, info, warn or error", f.Level)
	}
	if f.Quiet {
		level = max(level, slog.LevelError)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, Usagef("--log-format is %q; it must be text or json", f.Format)
}
