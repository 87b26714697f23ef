package config

import "time"

// Enterprise is the policy for refreshing the private mirror of Odoo
// Enterprise.
type Enterprise struct {
	Refresh     `yaml:",inline"`
	Destination string `yaml:"destination" jsonschema:"default=./enterprise,minLength=1,maxLength=200" jsonschema_description:"Destination of repos.yaml that has the mirror. Of what is in it, pull requests of a public repository tell nothing."`
	Community   string `yaml:"community" jsonschema:"default=./odoo,minLength=1,maxLength=200" jsonschema_description:"Destination of Odoo Community, whose locked commit says what is Enterprise."`
	DaysApart   int    `yaml:"daysApart" jsonschema:"minimum=1,maximum=3650,default=14" jsonschema_description:"How many days a bundle and Community's locked commit may be apart before there is a warning."`
}

// defaultEnterprise: it needs a subscription and a mirror to do anything.
func defaultEnterprise() Enterprise {
	return Enterprise{
		Refresh: refreshed(false, "0 3 * * 6", 4*time.Hour), Destination: "./enterprise", Community: "./odoo", DaysApart: 14,
	}
}
