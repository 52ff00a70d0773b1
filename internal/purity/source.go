package purity

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// The rules on the source of a pure package, by the name that a finding has.
const (
	ruleClock       = "wall clock"
	ruleRandom      = "global randomness"
	ruleConcurrency = "concurrency"
	ruleMapOrder    = "map order"
	ruleMark        = "mark without reason"
	ruleLock        = "port under a lock"
)

// blocks is what is wrong with channels: the simulated world cannot see the wait, and would stand.
const blocks = "channel: only ports may block"

// finding is one place that breaks a rule.
type finding struct {
	at   token.Position
	rule string
	what string
}

func (f finding) String() string { return fmt.Sprintf("%s: %s: %s", f.at, f.rule, f.what) }

// source checks one package's files.
type source struct {
	typed
	findings []finding
	marked   map[token.Position]bool // lines with a mark; column and offset are 0
	sorted   map[*ast.Ident]bool     // callees whose result loses its order at once
}

// checkSource finds what a pure package must not do.
func checkSource(t typed) []finding {
	s := &source{typed: t, marked: map[token.Position]bool{}, sorted: map[*ast.Ident]bool{}}
	for _, f := range t.files {
		s.readMarks(f)
		ast.Inspect(f, s.visit)
	}
	s.checkLocks()
	return s.findings
}

func (s *source) add(pos token.Pos, rule, what string) {
	s.findings = append(s.findings, finding{at: s.fset.Position(pos), rule: rule, what: what})
}

// readMarks notes the lines of order-free marks; one without a reason is a finding itself.
func (s *source) readMarks(f *ast.File) {
	for _, group := range f.Comments {
		for _, c := range group.List {
			reason, ok := strings.CutPrefix(c.Text, orderFree)
			if !ok {
				continue
			}
			if strings.TrimSpace(reason) == "" {
				s.add(c.Pos(), ruleMark, "say why the order is free")
				continue
			}
			at := s.fset.Position(c.Pos())
			s.marked[token.Position{Filename: at.Filename, Line: at.Line}] = true
		}
	}
}

// isMarked says whether the line of pos, or the one above, has a mark.
func (s *source) isMarked(pos token.Pos) bool {
	at := s.fset.Position(pos)
	return s.marked[token.Position{Filename: at.Filename, Line: at.Line}] ||
		s.marked[token.Position{Filename: at.Filename, Line: at.Line - 1}]
}

// visit sees parents before children, so a call is known to sort before its argument is judged.
func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		s.add(n.Pos(), ruleConcurrency, "go statement: tasks start through the Tasks port")
	case *ast.SelectStmt:
		s.add(n.Pos(), ruleConcurrency, "select statement: its choice is random")
	case *ast.SendStmt:
		s.add(n.Pos(), ruleConcurrency, blocks)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			s.add(n.Pos(), ruleConcurrency, blocks)
		}
	case *ast.RangeStmt:
		s.rangeOver(n)
	case *ast.CallExpr:
		s.call(n)
	case *ast.Ident:
		s.use(n)
	}
	return true
}

// call notes the arguments of functions to which order does not matter.
func (s *source) call(n *ast.CallExpr) {
	fn, ok := s.info.Uses[callee(n.Fun)].(*types.Func)
	if !ok || !orderGone[fullName(fn)] {
		return
	}
	for _, arg := range n.Args {
		if inner, ok := ast.Unparen(arg).(*ast.CallExpr); ok {
			s.sorted[callee(inner.Fun)] = true
		}
	}
}

// rangeOver judges a loop: by the type of what it runs over, also where that is a type parameter
// that a map could be.
func (s *source) rangeOver(n *ast.RangeStmt) {
	if _, ok := s.info.Types[n.X].Type.Underlying().(*types.Chan); ok {
		s.add(n.Pos(), ruleConcurrency, blocks)
		return
	}
	if s.isMarked(n.Pos()) || !mayBeMap(s.info.Types[n.X].Type) {
		return
	}
	if n.Key == nil { // for range m only counts
		return
	}
	s.add(n.Pos(), ruleMapOrder, "loop over a map: sort the keys, or mark it "+orderFree+" reason")
}

func mayBeMap(t types.Type) bool {
	if param, ok := t.(*types.TypeParam); ok {
		bound := param.Underlying().(*types.Interface)
		for i := range bound.NumEmbeddeds() {
			if mayBeMap(bound.EmbeddedType(i)) {
				return true
			}
		}
		return false
	}
	switch t := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Union:
		for i := range t.Len() {
			if mayBeMap(t.Term(i).Type()) {
				return true
			}
		}
	}
	return false
}

// use judges any mention of a function, called or not: a value of it can be called later.
func (s *source) use(id *ast.Ident) {
	fn, ok := s.info.Uses[id].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return
	}
	name := fullName(fn)
	switch pkg := fn.Pkg().Path(); {
	case wallClock[name]:
		s.add(id.Pos(), ruleClock, name+": the time comes from the Clock port")
	case concurrency[name]:
		s.add(id.Pos(), ruleConcurrency, name+": tasks start and wait through the Tasks port")
	case mapOrder[name] && !s.sorted[id] && !s.isMarked(id.Pos()):
		s.add(id.Pos(), ruleMapOrder, name+": sort at once, or mark it "+orderFree+" reason")
	case (pkg == "math/rand" || pkg == "math/rand/v2") && fn.Signature().Recv() == nil &&
		!seededRand[fn.Name()]:
		s.add(id.Pos(), ruleRandom, name+": use a source of a known seed")
	}
}

// callee is the name in front of a call's arguments, or nil where the function has none.
func callee(fun ast.Expr) *ast.Ident {
	fun = ast.Unparen(fun)
	switch f := fun.(type) { // an instantiation, as in maps.Keys[map[int]int]
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return f
	case *ast.SelectorExpr:
		return f.Sel
	}
	return nil
}

// fullName is "path.Name" or, for a method, "path.Type.Name".
func fullName(fn *types.Func) string {
	if fn.Pkg() == nil {
		return fn.Name()
	}
	recv := fn.Signature().Recv()
	if recv == nil {
		return fn.Pkg().Path() + "." + fn.Name()
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return fn.Pkg().Path() + "." + named.Obj().Name() + "." + fn.Name()
	}
	return fn.Pkg().Path() + "." + fn.Name()
}
