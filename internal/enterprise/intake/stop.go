package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/lock"
)

// Kinds of stops.
const (
	Missing = "missing" // the bundle lacks modules of Community
	Drift   = "drift"   // modules of Community differ in the bundle; somebody may accept that
	Bundle  = "bundle"  // the bundle cannot be used
	Mirror  = "mirror"  // the mirror cannot be imported into
	Portal  = "portal"  // the portal gives no bundle
)

// Stop is why nothing was imported.
type Stop struct {
	Kind string
	// Reason is for everybody: no path, module or content of Enterprise is in it.
	Reason string
	// Detail is for those who may read the mirror. Strangers wrote parts of it.
	Detail string
}

// stopped makes a result of an error that a person has to do something about.
func stopped(report *enterprise.Report, err error) (*Result, error) {
	s := &Stop{Detail: err.Error()}
	var entry *archive.Error
	var series *enterprise.SeriesError
	switch {
	case errors.Is(err, enterprise.ErrMissing) && report != nil:
		s.Kind, s.Reason = Missing, fmt.Sprintf("the bundle lacks %d of Community's modules", report.Counts.Missing)
	case errors.Is(err, enterprise.ErrDrift) && report != nil:
		s.Kind, s.Reason = Drift, fmt.Sprintf("%d of Community's modules differ in the bundle", report.Counts.Drifted)
	case errors.As(err, &series):
		s.Kind, s.Reason = Bundle, series.Error()
	case errors.As(err, &entry):
		s.Kind, s.Reason = Bundle, "the bundle is refused: "+entry.Msg
		if entry.Entry != "" {
			s.Reason = "the bundle is refused: something in it " + entry.Msg
		}
	case errors.Is(err, archive.ErrNoArchive):
		s.Kind, s.Reason = Bundle, "what the portal sent "+archive.ErrNoArchive.Error()
	case errors.Is(err, enterprise.ErrInput):
		s.Kind, s.Reason = Bundle, "the bundle cannot be used"
	case errors.Is(err, enterprise.ErrMirror):
		s.Kind, s.Reason = Mirror, enterprise.ErrMirror.Error()
	case errors.Is(err, portal.ErrRefused):
		s.Kind, s.Reason = Portal, err.Error()
	default:
		return nil, err
	}
	return &Result{Report: report, Stop: s}, nil
}

// Document is the report of an import as a file: its name says of which bundle.
func Document(r *enterprise.Report) (name string, data []byte, err error) {
	name = "enterprise"
	if r.SourceBundleDate != nil {
		name += "-" + *r.SourceBundleDate
	}
	if r.SourceBundleSHA256 != nil {
		name += "-" + (*r.SourceBundleSHA256)[:12]
	}
	data, err = json.MarshalIndent(r, "", "  ")
	return name + ".json", append(data, '\n'), err
}

// keepReport writes the report of an import beside the others.
func (in *Intake) keepReport(r *enterprise.Report) error {
	if in.Reports == "" || r == nil {
		return nil
	}
	name, data, err := Document(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(in.Reports, 0o700); err != nil {
		return err
	}
	_, err = lock.WriteFile(filepath.Join(in.Reports, name), data)
	return err
}
