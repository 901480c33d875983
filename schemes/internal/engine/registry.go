package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

var registry = map[string]*Scheme{}

// Register adds a copy of a scheme under its name. It is meant for init
// functions and panics when the name is taken or the scheme lacks a part.
func Register(s *Scheme) {
	if s.Name == "" || s.SignatureHeader == "" || s.Keys == nil || s.Begin == nil || s.Read == nil || s.Sign == nil {
		panic(fmt.Sprintf("schemes: scheme %q is incomplete", s.Name))
	}
	if _, taken := registry[s.Name]; taken {
		panic(fmt.Sprintf("schemes: scheme %q is registered twice", s.Name))
	}
	registry[s.Name] = s.clone()
}

// Get returns a copy of the scheme of a name.
func Get(name string) (*Scheme, bool) {
	s, ok := registry[name]
	if !ok {
		return nil, false
	}
	return s.clone(), true
}

// All returns copies of the registered schemes, sorted by name.
func All() []*Scheme {
	all := make([]*Scheme, 0, len(registry))
	for _, s := range registry {
		all = append(all, s.clone())
	}
	slices.SortFunc(all, func(a, b *Scheme) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Names lists the names of the registered schemes in order.
func Names() []string {
	return slices.Sorted(maps.Keys(registry))
}

// Define compiles a definition and registers the scheme. It is meant for init
// functions and panics when the definition is wrong or the name is taken.
func Define(name string, d Definition) {
	s, err := d.Compile(name)
	if err != nil {
		panic(fmt.Sprintf("schemes: scheme %q: %v", name, err))
	}
	Register(s)
}
