package python

import (
	"maps"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/requirements"
)

// building says how source distributions are built.
type building struct {
	constraints []string            // files that bound what builds
	config      map[string][]string // --config-settings, KEY=VALUE, by package
}

// uvArguments tell uv.
func (b building) uvArguments() []string {
	var args []string
	for _, file := range b.constraints {
		args = append(args, "--build-constraints", file)
	}
	for _, name := range slices.Sorted(maps.Keys(b.config)) {
		for _, setting := range b.config[name] {
			args = append(args, "--config-settings-package", name+":"+setting)
		}
	}
	return args
}

// pipEnvironment tells pip of constraints. They reach the pip that installs
// what builds: before pip 25.3 it takes the constraints of its environment,
// since then those for building.
func (b building) pipEnvironment() []string {
	if len(b.constraints) == 0 {
		return nil
	}
	return []string{"PIP_CONSTRAINT=" + join(b.constraints), "PIP_BUILD_CONSTRAINT=" + join(b.constraints)}
}

// configSettings are the --config-settings that lines carry, by package.
func configSettings(all []requirements.Line) map[string][]string {
	config := map[string][]string{}
	for i := range all {
		if line := &all[i]; len(line.ConfigSettings) > 0 {
			config[line.Name] = append(config[line.Name], line.ConfigSettings...)
		}
	}
	return config
}

// lines writes requirements for a tool. uv has --config-settings as arguments.
func lines(all []requirements.Line, withConfig bool) []byte {
	var text []byte
	for i := range all {
		line := all[i].Text
		if !withConfig && len(all[i].ConfigSettings) > 0 {
			line = all[i].Requirement.String() + hashes(all[i].Hashes)
		}
		text = append(text, line+"\n"...)
	}
	return text
}

// withConfig writes what is installed of a lock for pip, which takes
// --config-settings of one package from its line alone.
func withConfig(installed []requirements.Entry, config map[string][]string) []byte {
	var b strings.Builder
	for _, e := range installed {
		if e.URL == "" {
			b.WriteString(e.Name + "==" + e.Version)
		} else {
			b.WriteString(e.Name + " @ " + e.URL)
		}
		b.WriteString(hashes(e.Hashes))
		for _, setting := range config[e.Name] {
			b.WriteString(" --config-settings=" + quote(setting))
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func hashes(all []string) string {
	var text string
	for _, hash := range all {
		text += " --hash=" + hash
	}
	return text
}

// quote writes a word as pip's parser, a shell's, reads it back.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'" }
