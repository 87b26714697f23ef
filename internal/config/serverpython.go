package config

// ServerPython is what the bot does on its own machine for Python locks.
type ServerPython struct {
	Local      bool   `yaml:"local" jsonschema:"default=false" jsonschema_description:"Whether the bot resolves Python locks on its own machine, which needs uv or pip, and the Python of each lock. To learn what a package needs, these may run what it brings along, and they ask the servers that a repository's requirements name: let it only where you trust who may write to the watched repositories, and to the branches that these merge into ./odoo, for the requirements.txt of these counts as well."`
	Advisories string `yaml:"advisories" jsonschema:"default=https://api.osv.dev,pattern=^(never|https?://[A-Za-z0-9.:/_\\[\\]-]+)$,maxLength=300,minLength=1" jsonschema_description:"Address of a server of the OSV API that is asked which versions of Python packages have known vulnerabilities; never asks none."`
}

// defaultServerPython asks the project that collects advisories, and resolves
// nothing.
func defaultServerPython() ServerPython { return ServerPython{Advisories: "https://api.osv.dev"} }
