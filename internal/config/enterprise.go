package config

import "time"

// Enterprise is the policy for refreshing the private mirror of Odoo
// Enterprise.
type Enterprise struct {
	Refresh `yaml:",inline"`
}

// defaultEnterprise: it needs a subscription and a mirror to do anything.
func defaultEnterprise() Enterprise {
	return Enterprise{Refresh: refreshed(false, "0 3 * * 6", 4*time.Hour)}
}
