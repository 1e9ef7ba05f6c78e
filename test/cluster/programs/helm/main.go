// Renders a chart as `helm template` does, without a cluster: helm [-namespace NAME] [-values FILE] CHART
package main

import (
	"flag"
	"fmt"
	"os"
	"sort"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

func main() {
	file := flag.String("values", "", "YAML file with values that differ from the chart's")
	namespace := flag.String("namespace", "jvs-system", "namespace of the release")
	flag.Parse()
	if err := render(flag.Arg(0), *file, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(path, file, namespace string) error {
	chart, err := loader.Load(path)
	if err != nil {
		return err
	}
	given := map[string]any{}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(text, &given); err != nil {
			return err
		}
	}
	release := chartutil.ReleaseOptions{Name: "jvs", Namespace: namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(chart, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return err
	}
	rendered, err := engine.Render(chart, values)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("---\n# Source: %s\n%s\n", name, rendered[name])
	}
	return nil
}
