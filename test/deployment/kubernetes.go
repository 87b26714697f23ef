package deployment

import (
	"path"
	"path/filepath"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Kustomize renders a kustomization as kubectl apply -k does, and decodes it.
func Kustomize(t testing.TB, dir string) []runtime.Object {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("kustomize %s: %v", dir, err)
	}
	manifest, err := rendered.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return Objects(t, dir, manifest)
}

// Pod returns the pod that an object makes, or none.
func Pod(object runtime.Object) *corev1.PodTemplateSpec {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	}
	return nil
}

// Kustomizations are the directories of a scaffold of the kind k8s that are there
// to be applied.
func Kustomizations(t testing.TB, dir string) (all []string) {
	t.Helper()
	for _, pattern := range []string{"overlays/*", "overlays/*/init", "overlays/*/update"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func kubernetes(t testing.TB, dir string) (all []Container) {
	t.Helper()
	for _, d := range Kustomizations(t, dir) {
		objects := Kustomize(t, d)
		configs := map[string]map[string]string{}
		for _, object := range objects {
			if c, ok := object.(*corev1.ConfigMap); ok {
				configs[c.Name] = c.Data
			}
		}
		for _, object := range objects {
			if pod := Pod(object); pod != nil {
				for i := range pod.Spec.Containers {
					all = append(all, ofPod(d, &pod.Spec, &pod.Spec.Containers[i], configs))
				}
			}
		}
	}
	return all
}

func ofPod(name string, pod *corev1.PodSpec, c *corev1.Container, configs map[string]map[string]string) Container {
	to := Container{
		Name: name + " " + c.Name, Image: c.Image, Command: append(c.Command, c.Args...),
		Env: map[string]string{}, Files: map[string]string{},
	}
	for _, e := range c.Env {
		to.Env[e.Name] = e.Value
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range c.VolumeMounts {
		switch v := volumes[m.Name]; {
		case v.ConfigMap != nil:
			for key, text := range configs[v.ConfigMap.Name] {
				to.Files[path.Join(m.MountPath, key)] = text
			}
		case v.Secret != nil:
			for _, item := range v.Secret.Items {
				to.Secrets = append(to.Secrets, path.Join(m.MountPath, item.Path))
			}
		case v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory:
			to.Memory = append(to.Memory, m.MountPath)
		case v.PersistentVolumeClaim != nil:
			to.Volumes = append(to.Volumes, m.MountPath)
		}
	}
	if user := pod.SecurityContext; user != nil && user.RunAsUser != nil && user.RunAsGroup != nil && user.RunAsNonRoot != nil && *user.RunAsNonRoot {
		to.User = strconv.FormatInt(*user.RunAsUser, 10) + ":" + strconv.FormatInt(*user.RunAsGroup, 10)
	}
	if s := c.SecurityContext; s != nil {
		to.ReadOnly = s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem
		to.NoNewPrivileges = s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation
		to.NoCapabilities = s.Capabilities != nil && len(s.Capabilities.Add) == 0 && len(s.Capabilities.Drop) == 1 && s.Capabilities.Drop[0] == "ALL"
	}
	if p := c.ReadinessProbe; p != nil && p.HTTPGet != nil {
		to.Health = p.HTTPGet.Path
	}
	return to
}
