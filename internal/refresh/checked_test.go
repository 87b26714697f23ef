package refresh_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// What is checked of a destination with several merges is what their merge gives,
// not what any of them has.
func TestChecksOfTheMergedTree(t *testing.T) {
	t.Parallel()
	stock := []string{"addons/stock/__manifest__.py", "addons/stock/models/stock_move.py", "addons/stock/tests/test_move.py"}
	moved := map[string]string{
		"odoo/addons/stock/__manifest__.py": manifest("1.1", "'depends': ['base']"), "odoo/addons/stock/models/stock_move.py": "class StockMove: pass\n",
		"odoo/addons/stock/tests/test_move.py": "1\n",
	}
	depending := map[string]string{"addons/sale/__manifest__.py": manifest("1.0", "'depends': ['nowhere']")}
	sale := func(version, depends string) string {
		return "{\n 'name': 'X',\n 'version': '" + version + "',\n" + strings.Repeat(" # a line\n", 8) + " 'depends': ['" + depends + "'],\n}\n"
	}
	for _, test := range []struct {
		name   string
		before func(d *derived) // and locked
		after  func(d *derived)
		want   string // title of the check
		says   string // by the check
	}{
		{"one merge removes what another has still", nil, func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[REM] stock", Removed: []string{"addons/stock"}})
		}, "This brings 1 problem of addons", "**stock\\_barcode** depends on `stock`, which is nowhere"},
		{"one merge moves what another has in its old place", nil, func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[MOV] stock", Removed: stock, Files: moved})
		}, "The addons fit together", "0 problems like that were there before"},
		{"both change one manifest", func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[ADD] sale", Files: map[string]string{"addons/sale/__manifest__.py": sale("16.0.1.0.0", "base")}})
			d.hot.Git(d.t, "fetch", "--quiet", d.odoo.Dir, "17.0:17.0-hotfix-stock")
			d.hot.Add(d.t, gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(2), Message: "[FIX] sale", Files: map[string]string{"addons/sale/__manifest__.py": sale("17.0.1.0.0", "base")}})
		}, func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(3), Message: "[IMP] sale", Files: map[string]string{"addons/sale/__manifest__.py": sale("16.0.1.0.0", "stock")}})
		}, "The addons fit together", "0 problems like that were there before"},
		{"what was so before", func(d *derived) {
			d.hot.Add(d.t, gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(1), Message: "[ADD] sale", Files: depending})
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[MOV] stock", Removed: stock, Files: moved})
		}, func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(2), Message: "[FIX] x", Files: map[string]string{"README": "x\n"}})
		}, "The addons fit together as before", "1 problem like that were there before"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDerived(t)
			if test.before != nil {
				test.before(d)
				d.locked = lockOf(t, d.repos, d.client)
			}
			test.after(d)
			text := d.describe(t, func(p *refresh.Proposal) {
				if err := p.Settle(t.Context(), d.kept); err != nil {
					t.Fatal(err)
				}
				if len(p.Predictions) != 1 || p.Predictions[0].Tree == "" {
					t.Fatalf("not tried: %+v", p.Predictions)
				}
			})
			if text.Fit == nil || text.Fit.Title != test.want || !strings.Contains(text.Fit.Summary, test.says) {
				t.Errorf("got %+v", text.Fit)
			}
		})
	}
}

// That the addons could not be looked at is no reason to have the forge merge.
func TestChecksThatFail(t *testing.T) {
	t.Parallel()
	d := newDerived(t)
	d.odoo.Add(t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] x", Files: map[string]string{"README": "x\n"}})
	text := d.describe(t, func(*refresh.Proposal) {
		if err := os.RemoveAll(d.hot.Dir); err != nil {
			t.Fatal(err)
		}
	})
	if text.Fit != nil || !slices.Contains(text.Doubts, "whether the addons fit together could not be found out") {
		t.Errorf("%+v, %q", text.Fit, text.Doubts)
	}
}
