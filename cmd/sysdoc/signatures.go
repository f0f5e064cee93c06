package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"strings"
)

// signatures returns the parameters of each call's handler: the table's rows
// name the handlers, whose declarations say the rest.
func signatures(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	handlers, params := map[string]string{}, map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				params[n.Name.Name] = paramText(fset, n)
			case *ast.CompositeLit:
				if call, handler := row(n); call != "" {
					handlers[call] = handler
				}
			}
			return true
		})
	}
	out := map[string]string{}
	for call, handler := range handlers {
		out[call] = params[handler]
	}
	return out, nil
}

// row reads {0, 63, "read", h3(sysRead), ...}.
func row(l *ast.CompositeLit) (call, handler string) {
	if len(l.Elts) != 6 {
		return "", ""
	}
	name, ok := l.Elts[2].(*ast.BasicLit)
	h, isCall := l.Elts[3].(*ast.CallExpr)
	if !ok || !isCall || len(h.Args) == 0 {
		return "", ""
	}
	id, ok := h.Args[0].(*ast.Ident)
	if !ok {
		return "", ""
	}
	return strings.Trim(name.Value, `"`), id.Name
}

// paramText writes the parameters after the task, without package names.
func paramText(fset *token.FileSet, fn *ast.FuncDecl) string {
	var out []string
	for i, p := range fn.Type.Params.List {
		var ty bytes.Buffer
		if err := printer.Fprint(&ty, fset, p.Type); err != nil || i == 0 {
			continue
		}
		text := strings.NewReplacer("linux.", "", "arg.", "").Replace(ty.String())
		for _, n := range p.Names {
			out = append(out, "`"+n.Name+" "+text+"`")
		}
	}
	return strings.Join(out, ", ")
}
