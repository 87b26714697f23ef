package githubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// called is a request that the description knows.
type called struct {
	operation string // "GET /repos/{owner}/{repo}"
	route     *routers.Route
	input     *openapi3filter.RequestValidationInput
	body      []byte
}

// checkRequest compares a request with the description: its path, its
// parameters, of which none may be unknown, and its body.
func (d *description) checkRequest(r *http.Request) (*called, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("%w: neither the fake nor, perhaps, GitHub has it", err)
	}
	for name, value := range params {
		if params[name], err = url.PathUnescape(value); err != nil {
			return nil, err
		}
	}
	c := &called{
		operation: r.Method + " " + strings.ReplaceAll(route.Path, ":.+}", "}"), route: route, body: body,
		input: &openapi3filter.RequestValidationInput{
			Request: r, PathParams: params, Route: route,
			Options: options(),
		},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), c.input); err != nil {
		return c, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return c, errors.Join(c.unknownParameters(r), c.unknownFields())
}

// options make errors say where something is wrong, and not how all of it
// should be.
func options() *openapi3filter.Options {
	o := &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		IncludeResponseStatus: true, MultiError: true,
	}
	o.WithCustomSchemaErrorFunc(schemaText)
	return o
}

func schemaText(err *openapi3.SchemaError) string {
	text := "/" + strings.Join(err.JSONPointer(), "/") + ": " + err.Reason
	if err.Origin != nil {
		text += " (" + err.Origin.Error() + ")"
	}
	return text
}

func (c *called) unknownParameters(r *http.Request) error {
	for name := range r.URL.Query() {
		known := func(p *openapi3.ParameterRef) bool {
			return p.Value.In == openapi3.ParameterInQuery && p.Value.Name == name
		}
		if !slices.ContainsFunc(c.route.Operation.Parameters, known) {
			return fmt.Errorf("GitHub knows no parameter %q", name)
		}
	}
	return nil
}

// unknownFields finds fields of the body that the description does not name,
// which it does not forbid.
func (c *called) unknownFields() error {
	var fields map[string]any
	if c.route.Operation.RequestBody == nil || json.Unmarshal(c.body, &fields) != nil {
		return nil
	}
	media := c.route.Operation.RequestBody.Value.Content.Get("application/json")
	if media == nil || media.Schema == nil {
		return nil
	}
	known := map[string]bool{}
	var look func(*openapi3.SchemaRef)
	look = func(s *openapi3.SchemaRef) {
		for name := range s.Value.Properties {
			known[name] = true
		}
		for _, some := range []openapi3.SchemaRefs{s.Value.OneOf, s.Value.AnyOf, s.Value.AllOf} {
			for _, s := range some {
				look(s)
			}
		}
	}
	look(media.Schema)
	for name := range maps.Keys(fields) {
		if !known[name] {
			return fmt.Errorf("GitHub knows no field %q", name)
		}
	}
	return nil
}

// checkResponse compares an answer with the description. Not all refusals are
// described for each operation; those that are not have only to be in the form
// that all have.
func (c *called) checkResponse(ctx context.Context, status int, header http.Header, body []byte) error {
	described := c.route.Operation.Responses.Status(status)
	switch {
	case described == nil && status < http.StatusMultipleChoices:
		return fmt.Errorf("GitHub does not answer with status %d", status)
	case described == nil:
		return refusalForm(body)
	case described.Value.Content == nil && len(body) > 0 && status < http.StatusMultipleChoices:
		return fmt.Errorf("GitHub sends nothing with status %d", status)
	case described.Value.Content == nil:
		return nil
	}
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: c.input, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: options(),
	})
}

func refusalForm(body []byte) error {
	var refusal struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &refusal); err != nil || refusal.Message == "" {
		return fmt.Errorf("a refusal without a message: %s", body)
	}
	return nil
}

// graphRequest is the body of a request to GraphQL.
type graphRequest struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

// checkGraph compares a query and its variables with GitHub's schema, and
// returns the name of the one field that it asks for.
func (d *description) checkGraph(body []byte) (graphRequest, string, error) {
	var request graphRequest
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return request, "", err
	}
	query, errs := gqlparser.LoadQueryWithRules(d.graph, request.Query, rules.NewDefaultRules())
	if errs != nil {
		return request, "", errs
	}
	if len(query.Operations) != 1 || len(query.Operations[0].SelectionSet) != 1 {
		return request, "", errors.New("the fake takes one operation with one field")
	}
	field, ok := query.Operations[0].SelectionSet[0].(*ast.Field)
	if !ok {
		return request, "", errors.New("the fake takes a plain field")
	}
	if _, err := validator.VariableValues(d.graph, query.Operations[0], request.Variables); err != nil {
		return request, "", err
	}
	return request, field.Name, nil
}
