package schemes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

var registry = map[string]*Scheme{}

// Register adds a scheme under its name. It is meant for init functions and
// panics when the name is taken or the scheme lacks a part.
func Register(s *Scheme) {
	if s.Name == "" || s.SignatureHeader == "" || s.Keys == nil || s.Open == nil || s.Read == nil || s.Sign == nil {
		panic(fmt.Sprintf("schemes: scheme %q is incomplete", s.Name))
	}
	if _, taken := registry[s.Name]; taken {
		panic(fmt.Sprintf("schemes: scheme %q is registered twice", s.Name))
	}
	registry[s.Name] = s
}

// Get finds a scheme by its name.
func Get(name string) (*Scheme, bool) {
	s, ok := registry[name]
	return s, ok
}

// All lists the registered schemes by name.
func All() []*Scheme {
	all := make([]*Scheme, 0, len(registry))
	for _, s := range registry {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Scheme) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Names lists the names of the registered schemes in order.
func Names() []string {
	return slices.Sorted(maps.Keys(registry))
}

// Define compiles a definition and registers the scheme. It is meant for init
// functions and panics when the definition is wrong or the name is taken. What
// a definition cannot say, such as a Handshake, is set in the scheme that it
// gives.
func Define(name string, d Definition) *Scheme {
	s, err := d.Compile(name)
	if err != nil {
		panic(fmt.Sprintf("schemes: scheme %q: %v", name, err))
	}
	Register(s)
	return s
}
