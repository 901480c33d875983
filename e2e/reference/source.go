package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

const modulePath = "github.com/hooklatch/hooklatch/"

// source reads the packages of the repository, each once.
type source struct {
	root     string
	packages map[string]*pkg
}

// pkg is what the reference needs of a package.
type pkg struct {
	types    map[string]*structure
	syntaxes map[string]string // what follows "Syntax:" in the comment of a function, by its name
}

// structure is a struct that a configuration may be decoded into.
type structure struct {
	doc    string
	fields []field
}

// field is a field with a JSON name, or an embedded struct without one.
type field struct {
	name     string // in JSON; empty for an embedded one
	doc      string
	kind     string // for people
	pkg, typ string // where the struct is that it has, if it has one of ours
}

func (s *source) load(dir string) (*pkg, error) {
	if p := s.packages[dir]; p != nil {
		return p, nil
	}
	files, err := filepath.Glob(filepath.Join(s.root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no package in %s: %w", dir, err)
	}
	p := &pkg{types: map[string]*structure{}, syntaxes: map[string]string{}}
	s.packages[dir] = p
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.GenDecl:
				p.addTypes(dir, parsed, d)
				if err := s.follow(p, parsed, d); err != nil {
					return nil, err
				}
			case *ast.FuncDecl:
				if _, syntax, found := strings.Cut(d.Doc.Text(), "Syntax:\n"); found {
					p.syntaxes[d.Name.Name] = syntax
				}
			}
		}
	}
	return p, nil
}

// follow adds the structs that a package gives another name to.
func (s *source) follow(p *pkg, file *ast.File, d *ast.GenDecl) error {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok || !t.Assign.IsValid() {
			continue
		}
		_, typ := describe(t.Type)
		alias, name, _ := strings.Cut(typ, ".")
		from := imported(file, alias)
		if from == "" {
			continue
		}
		other, err := s.load(from)
		if err != nil {
			return err
		}
		if found := other.types[name]; found != nil {
			p.types[t.Name.Name] = found
		}
	}
	return nil
}

func (p *pkg) addTypes(dir string, file *ast.File, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		structType, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		doc := t.Doc
		if doc == nil {
			doc = d.Doc
		}
		s := &structure{doc: doc.Text()}
		for _, f := range structType.Fields.List {
			s.add(dir, file, f)
		}
		p.types[t.Name.Name] = s
	}
}

func (s *structure) add(dir string, file *ast.File, f *ast.Field) {
	embedded := len(f.Names) == 0
	if !embedded && !f.Names[0].IsExported() {
		return
	}
	name := ""
	if !embedded {
		if f.Tag == nil {
			return
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			return
		}
		name, _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			return
		}
	}
	kind, typ := describe(f.Type)
	from := dir
	if alias, base, foreign := strings.Cut(typ, "."); foreign {
		from, typ = imported(file, alias), base
	}
	s.fields = append(s.fields, field{name: name, doc: f.Doc.Text(), kind: kind, pkg: from, typ: typ})
}

// imported gives the folder of a package of ours, empty for others.
func imported(file *ast.File, alias string) string {
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil || !strings.HasPrefix(path, modulePath) {
			continue
		}
		if i.Name != nil && i.Name.Name == alias || i.Name == nil && filepath.Base(path) == alias {
			return strings.TrimPrefix(path, modulePath)
		}
	}
	return ""
}

// plural is of the first word: a list of objects of texts.
func plural(kind string) string {
	first, rest, more := strings.Cut(kind, " ")
	if more {
		rest = " " + rest
	}
	return first + "s" + rest
}

// describe says what is written in JSON, and names the type if it may be a
// struct.
func describe(t ast.Expr) (kind, typ string) {
	switch t := t.(type) {
	case *ast.StarExpr:
		return describe(t.X)
	case *ast.ArrayType:
		kind, typ = describe(t.Elt)
		return "list of " + plural(kind), typ
	case *ast.MapType:
		kind, typ = describe(t.Value)
		return "object of " + plural(kind), typ
	case *ast.SelectorExpr:
		switch name := t.X.(*ast.Ident).Name + "." + t.Sel.Name; name {
		case "caddy.Duration":
			return "duration", ""
		case "json.RawMessage":
			return "module", ""
		default:
			return "object", name
		}
	case *ast.Ident:
		switch {
		case t.Name == "string":
			return "text", ""
		case t.Name == "bool":
			return "true or false", ""
		case strings.HasPrefix(t.Name, "int"), strings.HasPrefix(t.Name, "uint"), strings.HasPrefix(t.Name, "float"):
			return "number", ""
		}
		return "object", t.Name
	}
	return "value", ""
}
