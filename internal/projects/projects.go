// Package projects reads the configurations of several projects, as a pattern such as
// projects/*.toml names them.
//
// A configuration that cannot be used is a project with an error, so that it stops none of the
// others. What two configurations must not share, a state file for one, is an error of both.
package projects

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleapsync/internal/config"
	"gleapsync/internal/secret"
)

// Project is what is known of one project.
type Project struct {
	Path   string         // of its configuration
	Name   string         // "" if its configuration cannot be read
	Config *config.Config // nil if there is an error
	Err    error          // why the configuration cannot be used
}

// Label names the project, or its configuration if nobody knows the project's name.
func (p *Project) Label() string {
	if p.Name == "" {
		return p.Path
	}
	return p.Name
}

// IsPattern reports whether a path stands for several configurations. A file may have such a
// name too: then it is meant.
func IsPattern(path string) bool {
	if !strings.ContainsAny(path, "*?[") {
		return false
	}
	_, err := os.Stat(path)
	return err != nil
}

// Load reads all configurations that a pattern matches, in the order of their paths.
func Load(pattern string, load func(path string) (*config.Config, error)) ([]*Project, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s is no pattern: it takes *, ? and [a-z]", pattern)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there is no configuration that %s matches", pattern)
	}
	all := make([]*Project, len(paths))
	for i, path := range paths {
		p := &Project{Path: path}
		p.Config, p.Err = load(path)
		if p.Config != nil {
			p.Name = p.Config.Sync.Project
		}
		all[i] = p
	}
	separate(all)
	for _, p := range all {
		if p.Err != nil {
			p.Config = nil
		}
	}
	return all, nil
}

// separate adds an error to each project that has something which another one has too.
func separate(all []*Project) {
	taken := map[claim]*Project{}
	for _, p := range all {
		if p.Err != nil {
			continue
		}
		for _, c := range claims(p.Config) {
			other := taken[c]
			if other == nil {
				taken[c] = p
				continue
			}
			p.Err = errors.Join(p.Err, c.sharedBy(p, other))
			other.Err = errors.Join(other.Err, c.sharedBy(other, p))
		}
	}
}

// Against adds an error to a project that has something which another one has by a configuration
// that is in force, whatever its file says by now.
func (p *Project) Against(inForce *config.Config) {
	if p.Err != nil {
		return
	}
	taken := claims(inForce)
	for _, c := range claims(p.Config) {
		if slices.Contains(taken, c) {
			p.Err = errors.Join(p.Err, c.sharedBy(p, &Project{Path: inForce.Path}))
		}
	}
}

// claim is what one project alone may have.
type claim struct {
	key, value string
	token      secret.Text // instead of a value that may be shown
}

// claims returns what a project must have for itself.
func claims(c *config.Config) []claim {
	all := []claim{{key: "project", value: c.Sync.Project}, {key: "state.path", value: real(c.State.Path)}}
	if dir := c.Sync.Deliveries.Dir; dir != "" {
		all = append(all, claim{key: "log.path", value: real(dir)})
	}
	if b := c.Sync.Deliveries.Bucket; b != nil {
		all = append(all, claim{key: "log.path", value: b.Name()})
	}
	if file := c.Metrics.Textfile; file != "" {
		all = append(all, claim{key: "metrics.textfile", value: real(file)})
	}
	if r := c.Replica; r != nil {
		all = append(all, claim{key: "state.replica", value: r.Name(r.Key)})
	}
	// A sandbox takes one token from all, and without a token nothing is told.
	if token, err := c.Token(); err == nil && c.Sync.Gleap != config.Sandbox {
		all = append(all, claim{key: "token", token: token})
	}
	return all
}

func (c claim) sharedBy(p, other *Project) error {
	if c.key == "token" {
		return fmt.Errorf("%s and %s both have the same API token: each Gleap project has one of its own, and with that of another one it would tell the other's contacts", p.Path, other.Path)
	}
	remedy := "give each project one of its own"
	if c.key == "project" {
		remedy = "each is another Gleap project, so name them apart"
	}
	return fmt.Errorf("%s and %s both have %s = %q: %s", p.Path, other.Path, c.key, c.value, remedy)
}

// real returns the path of a file without links, as far as it is there.
func real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(real(dir), filepath.Base(path))
	}
	return path
}
