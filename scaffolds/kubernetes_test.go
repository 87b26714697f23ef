package scaffolds_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nuobit/odyssey/test/deployment"
)

const k8s = "deployment/k8s"

func TestKubernetes(t *testing.T) {
	t.Parallel()
	dirs := append(deployment.Kustomizations(t, k8s), k8s+"/base", k8s+"/jobs/init", k8s+"/jobs/update")
	if len(dirs) != 9 {
		t.Fatalf("kustomizations: %v", dirs)
	}
	for _, dir := range dirs {
		t.Run(strings.TrimPrefix(dir, k8s+"/"), func(t *testing.T) {
			t.Parallel()
			objects := deployment.Kustomize(t, dir)
			overlay := strings.Contains(dir, "/overlays/")
			for _, object := range objects {
				checkObject(t, object, objects, overlay)
			}
			if overlay {
				checkOneNamespace(t, objects)
			}
		})
	}
}

func checkObject(t *testing.T, object runtime.Object, all []runtime.Object, overlay bool) {
	t.Helper()
	if pod := deployment.Pod(object); pod != nil {
		checkPod(t, pod, all, overlay)
	}
	switch o := object.(type) {
	case *appsv1.Deployment:
		if !deployment.Selects(o.Spec.Selector.MatchLabels, o.Spec.Template.Labels) {
			t.Errorf("Deployment %s does not choose its own pods", o.Name)
		}
		if o.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
			t.Error("two releases may run on one database")
		}
		if o.Spec.Template.Spec.Containers[0].StartupProbe == nil || o.Spec.Template.Spec.Containers[0].LivenessProbe == nil {
			t.Error("a probe is missing")
		}
	case *batchv1.Job:
		if o.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever || *o.Spec.BackoffLimit != 0 {
			t.Errorf("Job %s is tried again by itself", o.Name)
		}
	case *corev1.Service:
		checkService(t, o, all)
	case *networkingv1.NetworkPolicy:
		if !slices.ContainsFunc(all, func(object runtime.Object) bool {
			pod := deployment.Pod(object)
			return pod != nil && deployment.Selects(o.Spec.PodSelector.MatchLabels, pod.Labels)
		}) {
			t.Errorf("NetworkPolicy %s is for no pod", o.Name)
		}
	case *networkingv1.Ingress:
		checkIngress(t, o, all)
	}
}

// checkPod checks what is mentioned in a pod against what is there.
func checkPod(t *testing.T, template *corev1.PodTemplateSpec, all []runtime.Object, overlay bool) {
	t.Helper()
	pod := template.Spec
	if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks || len(pod.ImagePullSecrets) == 0 || pod.SecurityContext.SeccompProfile == nil {
		t.Error("the pod has a token of the cluster, service links, no pull secret, or no seccomp profile")
	}
	mounted := map[string]bool{}
	for _, c := range pod.Containers {
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: resources %v", c.Name, c.Resources)
		}
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
		}
	}
	for _, v := range pod.Volumes {
		if !mounted[v.Name] {
			t.Errorf("volume %s is not mounted", v.Name)
		}
		delete(mounted, v.Name)
		if v.ConfigMap != nil && overlay && !slices.ContainsFunc(all, func(o runtime.Object) bool {
			c, ok := o.(*corev1.ConfigMap)
			return ok && c.Name == v.ConfigMap.Name && strings.Contains(c.Data["odoo.conf"], "[options]")
		}) {
			t.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
		}
		if v.PersistentVolumeClaim != nil && overlay && !slices.ContainsFunc(all, func(o runtime.Object) bool {
			c, ok := o.(*corev1.PersistentVolumeClaim)
			return ok && c.Name == v.PersistentVolumeClaim.ClaimName
		}) {
			t.Errorf("there is no PersistentVolumeClaim %s", v.PersistentVolumeClaim.ClaimName)
		}
		if v.Secret != nil {
			checkSecret(t, v.Secret)
		}
	}
	for name := range mounted {
		t.Errorf("there is no volume %s", name)
	}
}

// secretRE finds the command that makes the Secret, and fileRE its keys.
var (
	secretRE = regexp.MustCompile(`(?m)create secret generic (\S+) (?:.*\\\n)*.*$`)
	fileRE   = regexp.MustCompile(`--from-file=([^=\s]+)`)
)

// checkSecret checks a Secret's keys against those that README.md has created.
func checkSecret(t *testing.T, volume *corev1.SecretVolumeSource) {
	t.Helper()
	readme, err := os.ReadFile(k8s + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := secretRE.FindSubmatch(readme)
	if command == nil || string(command[1]) != volume.SecretName {
		t.Fatalf("README.md does not create the secret %s: %q", volume.SecretName, command)
	}
	var created, used []string
	for _, key := range fileRE.FindAllSubmatch(command[0], -1) {
		created = append(created, string(key[1]))
	}
	for _, item := range volume.Items {
		used = append(used, item.Key)
	}
	slices.Sort(created)
	slices.Sort(used)
	if !slices.Equal(created, used) || *volume.DefaultMode != 0o440 {
		t.Errorf("README.md creates the keys %v, used are %v, with mode %#o", created, used, *volume.DefaultMode)
	}
}

// checkService checks that a service chooses the pods of one Deployment, by its
// version, and names ports that it has.
func checkService(t *testing.T, s *corev1.Service, all []runtime.Object) {
	t.Helper()
	found := 0
	for _, object := range all {
		d, ok := object.(*appsv1.Deployment)
		if !ok || !deployment.Selects(s.Spec.Selector, d.Spec.Template.Labels) {
			continue
		}
		found++
		ports := map[string]bool{}
		for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
			ports[p.Name] = true
		}
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.String()] {
				t.Errorf("Service %s leads to the port %s, there are %v", s.Name, p.TargetPort.String(), slices.Collect(maps.Keys(ports)))
			}
		}
	}
	version := s.Spec.Selector["app.kubernetes.io/version"]
	if found != 1 || version == "" || strings.Contains(s.Name, strings.ReplaceAll(version, ".", "-")) {
		t.Errorf("Service %s chooses %d Deployments, by version %q", s.Name, found, version)
	}
}

func checkIngress(t *testing.T, ingress *networkingv1.Ingress, all []runtime.Object) {
	t.Helper()
	for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
		to := path.Backend.Service
		if !slices.ContainsFunc(all, func(object runtime.Object) bool {
			s, ok := object.(*corev1.Service)
			return ok && s.Name == to.Name && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == to.Port.Name })
		}) {
			t.Errorf("%s leads to %s, port %s", path.Path, to.Name, to.Port.Name)
		}
		if (path.Path == "/websocket") != (to.Port.Name == "gevent") {
			t.Errorf("%s leads to the port %s", path.Path, to.Port.Name)
		}
	}
}

func checkOneNamespace(t *testing.T, all []runtime.Object) {
	t.Helper()
	namespaces := map[string]bool{}
	for _, object := range all {
		accessor, err := meta.Accessor(object)
		if err != nil {
			t.Fatal(err)
		}
		namespaces[accessor.GetNamespace()] = true
		if accessor.GetLabels()["app.kubernetes.io/instance"] == "" {
			t.Errorf("%s does not say of which instance it is", accessor.GetName())
		}
	}
	if len(namespaces) != 1 || namespaces[""] {
		t.Errorf("namespaces %v", slices.Collect(maps.Keys(namespaces)))
	}
}

// The server and the Jobs of an overlay have the same ConfigMap and image, though
// they are applied apart.
func TestKubernetes_shared(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"staging", "production"} {
		shared := map[string]bool{}
		for _, dir := range []string{"", "init", "update"} {
			for _, object := range deployment.Kustomize(t, filepath.Join(k8s, "overlays", overlay, dir)) {
				if pod := deployment.Pod(object); pod != nil {
					shared[pod.Spec.Containers[0].Image+" "+pod.Spec.Volumes[0].ConfigMap.Name] = true
				}
			}
		}
		if len(shared) != 1 {
			t.Errorf("%s: %v", overlay, slices.Collect(maps.Keys(shared)))
		}
	}
}
