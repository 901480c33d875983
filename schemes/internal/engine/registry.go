package engine

import (
	"fmt"
	"maps"
	"slices"
)

var registry = map[string]Scheme{}

// Register adds a scheme in Go under its name. It is meant for init functions
// and panics when the name is taken or the implementation lacks a part.
func Register(i Implementation) {
	s, err := i.Compile()
	if err != nil {
		panic(fmt.Sprintf("schemes: scheme %q: %v", i.Name, err))
	}
	register(s)
}

// Define compiles a definition and registers the scheme. It is meant for init
// functions and panics when the definition is wrong or the name is taken.
func Define(name string, d Definition) {
	s, err := d.Compile(name)
	if err != nil {
		panic(fmt.Sprintf("schemes: scheme %q: %v", name, err))
	}
	register(s)
}

func register(s Scheme) {
	if _, taken := registry[s.Name()]; taken {
		panic(fmt.Sprintf("schemes: scheme %q is registered twice", s.Name()))
	}
	registry[s.Name()] = s
}

// Get returns the scheme with a name.
func Get(name string) (Scheme, bool) {
	s, ok := registry[name]
	return s, ok
}

// All returns the registered schemes, sorted by name.
func All() []Scheme {
	all := make([]Scheme, 0, len(registry))
	for _, name := range Names() {
		all = append(all, registry[name])
	}
	return all
}

// Names returns the names of the registered schemes, sorted.
func Names() []string {
	return slices.Sorted(maps.Keys(registry))
}
