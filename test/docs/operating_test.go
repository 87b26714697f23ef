// Package docs tests what the documents tell to copy.
package docs

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/test/deployment"
)

const operating = "../../docs/operating"

// serves checks that serve would take a configuration whose files were where it
// says, below /run/secrets or /etc.
func serves(t *testing.T, text string) config.Server {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"gitea-token", "webhook-secret", "git-credentials"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("something-secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "store-url"), []byte("postgres://odyssey:something@db/odyssey\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer("/run/secrets/odyssey/", dir+"/", "/run/secrets/", dir+"/").Replace(text)
	path := filepath.Join(dir, "odyssey.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := config.LoadServing(path)
	if err != nil {
		t.Errorf("odyssey.yaml: %v\n%s", err, text)
	}
	return server
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	var (
		server    *appsv1.Deployment
		services  []*corev1.Service
		configs   = map[string]*corev1.ConfigMap{}
		budgets   []*policyv1.PodDisruptionBudget
		ingresses []*networkingv1.Ingress
		policies  []*networkingv1.NetworkPolicy
	)
	for _, object := range deployment.Objects(t, "kubernetes.yaml", []byte(read(t, operating+"/kubernetes.yaml"))) {
		switch o := object.(type) {
		case *appsv1.Deployment:
			server = o
		case *corev1.Service:
			services = append(services, o)
		case *corev1.ConfigMap:
			configs[o.Name] = o
		case *policyv1.PodDisruptionBudget:
			budgets = append(budgets, o)
		case *networkingv1.Ingress:
			ingresses = append(ingresses, o)
		case *networkingv1.NetworkPolicy:
			policies = append(policies, o)
		default:
			t.Errorf("there is a %T", o)
		}
	}
	if server == nil || len(services) != 2 || len(budgets) != 1 || len(ingresses) != 1 || len(policies) != 1 {
		t.Fatalf("deployment %v, %d services, %d budgets, %d ingresses, %d network policies",
			server != nil, len(services), len(budgets), len(ingresses), len(policies))
	}
	pod := server.Spec.Template
	for _, selector := range []map[string]string{
		server.Spec.Selector.MatchLabels, budgets[0].Spec.Selector.MatchLabels, policies[0].Spec.PodSelector.MatchLabels,
		services[0].Spec.Selector, services[1].Spec.Selector,
	} {
		if !deployment.Selects(selector, pod.Labels) {
			t.Errorf("the selector %v does not choose the pods, which have %v", selector, pod.Labels)
		}
	}
	checkPod(t, pod.Spec, services, configs)
	checkNetwork(t, pod.Spec.Containers[0].Ports, services, ingresses[0], policies[0])
	serving := serves(t, configs["odyssey"].Data["odyssey.yaml"])
	if serving.StoreURL.Reveal() == "" && *server.Spec.Replicas > 1 {
		t.Error("replicas share an SQLite file")
	}
	if grace := *pod.Spec.TerminationGracePeriodSeconds; float64(grace) <= serving.Drain.Seconds() {
		t.Errorf("the pod is killed after %d s, the drain takes %s", grace, serving.Drain)
	}
}

// checkPod checks that what is mentioned is there, and that nothing may be
// done that need not be.
func checkPod(t *testing.T, pod corev1.PodSpec, services []*corev1.Service, configs map[string]*corev1.ConfigMap) {
	t.Helper()
	container := pod.Containers[0]
	ports := map[string]bool{}
	for _, p := range container.Ports {
		ports[p.Name] = true
	}
	wanted := []string{container.LivenessProbe.HTTPGet.Port.String(), container.ReadinessProbe.HTTPGet.Port.String()}
	for _, s := range services {
		for _, p := range s.Spec.Ports {
			wanted = append(wanted, p.TargetPort.String())
		}
	}
	for _, name := range wanted {
		if !ports[name] {
			t.Errorf("there is no port %s", name)
		}
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && configs[v.ConfigMap.Name] == nil {
			t.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
		}
	}
	for _, m := range container.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	if !*pod.SecurityContext.RunAsNonRoot || !*container.SecurityContext.ReadOnlyRootFilesystem || *container.SecurityContext.AllowPrivilegeEscalation {
		t.Error("the container may do what it need not")
	}
	if !strings.Contains(container.Image, "@sha256:") {
		t.Errorf("the image %s is not given by its digest", container.Image)
	}
}

// checkNetwork checks that the world gets to the webhooks and no further.
func checkNetwork(t *testing.T, ports []corev1.ContainerPort, services []*corev1.Service, ingress *networkingv1.Ingress, policy *networkingv1.NetworkPolicy) {
	t.Helper()
	for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
		to := path.Backend.Service
		has := func(p corev1.ServicePort) bool {
			return p.Name == to.Port.Name && p.TargetPort.String() == "webhooks"
		}
		if !slices.ContainsFunc(services, func(s *corev1.Service) bool { return s.Name == to.Name && slices.ContainsFunc(s.Spec.Ports, has) }) {
			t.Errorf("%s leads to %s, port %s, which is no service for webhooks", path.Path, to.Name, to.Port.Name)
		}
	}
	closed := map[string]bool{}
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			closed[p.Port.String()] = len(rule.From) > 0
		}
	}
	for _, p := range ports {
		if is, ok := closed[p.Name]; !ok || is != (p.Name == "status") {
			t.Errorf("port %s: in the network policy %v, closed to strangers %v", p.Name, ok, is)
		}
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	project := deployment.Compose(t, operating+"/compose.yaml")
	service, ok := project.Services["odyssey"]
	if !ok {
		t.Fatalf("the services are %v", slices.Collect(maps.Keys(project.Services)))
	}
	if !strings.Contains(service.Image, "@sha256:") || !service.ReadOnly {
		t.Errorf("the image is %s, and its file system read-only: %v", service.Image, service.ReadOnly)
	}
	for _, v := range service.Volumes {
		if v.Type == "volume" {
			if _, ok := project.Volumes[v.Source]; !ok {
				t.Errorf("there is no volume %s", v.Source)
			}
		}
	}
	if grace := service.StopGracePeriod; grace == nil || *grace <= 30e9 {
		t.Error("it is killed before the drain is over")
	}
}

// The configuration that the text shows, and what it says to add to it.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	document := read(t, operating+".md")
	text := strings.ReplaceAll(block(t, document, "yaml\n   # odyssey.yaml\n"), "\n   ", "\n")[3:]
	serves(t, text)
	if !serves(t, text+block(t, document, "yaml\n# in odyssey.yaml, for Python locks\n")).Python.Local {
		t.Error("Python locks are not resolved")
	}
	server := serves(t, text+block(t, document, "yaml\n# in odyssey.yaml\n"))
	if !strings.HasSuffix(server.Git.CredentialsFile, "/git-credentials") || len(server.Git.Allow) == 0 {
		t.Errorf("git is %+v", server.Git)
	}
}

// block returns the one block of code that begins so, without its beginning.
func block(t *testing.T, document, beginning string) string {
	t.Helper()
	_, rest, found := strings.Cut(document, "```"+beginning)
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("there is no block of code that begins with %q", beginning)
	}
	return text
}
