package purity

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"
)

// locks and unlocks are the calls that take a lock and give it back.
var (
	locks   = set("sync.Mutex.Lock", "sync.RWMutex.Lock", "sync.RWMutex.RLock", "sync.Locker.Lock")
	unlocks = set("sync.Mutex.Unlock", "sync.RWMutex.Unlock", "sync.RWMutex.RUnlock",
		"sync.Locker.Unlock")
)

// held are the locks that may be held at a place, each by the expression of its mutex.
type held map[string]bool

// callers stands for whatever lock the caller of a function holds.
const callers = "the caller's"

// locker follows the locks through the functions of a package, statement by statement: where two
// ways meet, what is held on either of them counts. A port is what an interface's method or a
// variable of a function type calls. A function literal that is handed to a call runs there.
type locker struct {
	*source
	decls  map[types.Object]*ast.BlockStmt // of functions, and of literals that a variable names
	ports  map[types.Object]string         // what they call under their caller's lock, or ""
	report func(call *ast.CallExpr, what string, h held)
	frames []*frame
	inline map[*ast.FuncLit]bool
}

// frame is a loop or a switch that a break leaves.
type frame struct {
	loop bool
	left []held // at each break or continue
}

// checkLocks finds the calls of ports under a lock. Package-level literals hold none.
func (s *source) checkLocks() {
	l := &locker{
		source: s, decls: map[types.Object]*ast.BlockStmt{}, ports: map[types.Object]string{},
		inline: map[*ast.FuncLit]bool{},
	}
	said := map[*ast.CallExpr]bool{} // the body of a loop is followed twice
	l.report = func(call *ast.CallExpr, what string, h held) {
		if !said[call] {
			said[call] = true
			s.add(call.Pos(), ruleLock, what+" while "+slices.Sorted(maps.Keys(h))[0]+" is locked")
		}
	}
	var bodies []*ast.FuncDecl
	for _, f := range s.files {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
				l.decls[s.info.Defs[d.Name]] = d.Body
				l.nameLiterals(d.Body)
				bodies = append(bodies, d)
			}
		}
	}
	for _, d := range bodies {
		l.block(d.Body.List, held{})
	}
}

// nameLiterals notes the function literals that a variable is made with: f := func() {...}. It is
// followed like a function. (One that is assigned later is not known.)
func (l *locker) nameLiterals(in ast.Node) {
	ast.Inspect(in, func(n ast.Node) bool {
		if made, ok := n.(*ast.AssignStmt); ok && len(made.Lhs) == len(made.Rhs) {
			for i, value := range made.Rhs {
				literal, isLiteral := value.(*ast.FuncLit)
				if name, isName := made.Lhs[i].(*ast.Ident); isLiteral && isName {
					if v := l.info.Defs[name]; v != nil {
						l.decls[v] = literal.Body
					}
				}
			}
		}
		return true
	})
}

// block follows statements; it tells what is held behind them, or nil if nothing comes there.
func (l *locker) block(list []ast.Stmt, h held) held {
	for _, s := range list {
		if h = l.statement(s, h); h == nil {
			return nil
		}
	}
	return h
}

func (l *locker) statement(s ast.Stmt, h held) held {
	switch s := s.(type) {
	case nil:
	case *ast.BlockStmt:
		return l.block(s.List, h)
	case *ast.LabeledStmt:
		return l.statement(s.Stmt, h)
	case *ast.ExprStmt:
		return l.call(s, h)
	case *ast.DeferStmt:
		if _, does := l.lockOf(s.Call, unlocks); !does { // which counts at the end only
			l.scan(s.Call, h)
		}
	case *ast.ReturnStmt:
		l.scan(s, h)
		return nil
	case *ast.BranchStmt:
		for _, f := range slices.Backward(l.frames) {
			if f.loop || s.Tok.String() == "break" {
				f.left = append(f.left, maps.Clone(h))
				break
			}
		}
		return nil
	case *ast.IfStmt:
		h = l.statement(s.Init, h)
		l.scan(s.Cond, h)
		return either(l.block(s.Body.List, maps.Clone(h)), l.statement(s.Else, maps.Clone(h)))
	case *ast.ForStmt:
		h = l.statement(s.Init, h)
		return l.loop(s.Body, h, s.Cond, s.Post)
	case *ast.RangeStmt:
		l.scan(s.X, h)
		return l.loop(s.Body, h, s.X, nil)
	case *ast.SwitchStmt:
		h = l.statement(s.Init, h)
		l.scan(s.Tag, h)
		return l.clauses(s.Body, h)
	case *ast.TypeSwitchStmt:
		return l.clauses(s.Body, l.statement(s.Assign, l.statement(s.Init, h)))
	default:
		l.scan(s, h)
	}
	return h
}

// call follows a statement that is a call: of a mutex, a panic, or anything else.
func (l *locker) call(s *ast.ExprStmt, h held) held {
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		l.scan(s, h)
		return h
	}
	if mutex, does := l.lockOf(call, locks); does {
		h[mutex] = true
	} else if mutex, does := l.lockOf(call, unlocks); does {
		if !h[mutex] {
			mutex = callers
		}
		delete(h, mutex)
	} else {
		l.scan(s, h)
	}
	if id := callee(call.Fun); id != nil && l.info.Uses[id] == types.Universe.Lookup("panic") {
		return nil
	}
	return h
}

// loop follows a body twice: what its end holds, its beginning may hold.
func (l *locker) loop(body *ast.BlockStmt, h held, cond ast.Expr, post ast.Stmt) held {
	f := &frame{loop: true}
	l.frames = append(l.frames, f)
	for range 2 {
		l.scan(cond, h)
		h = either(h, l.block(body.List, maps.Clone(h)))
		for _, left := range f.left {
			h = either(h, left)
		}
		h = l.statement(post, h)
	}
	l.frames = l.frames[:len(l.frames)-1]
	return h
}

func (l *locker) clauses(body *ast.BlockStmt, h held) held {
	f := &frame{}
	l.frames = append(l.frames, f)
	out, byDefault := held(nil), false
	for _, s := range body.List {
		clause := s.(*ast.CaseClause)
		byDefault = byDefault || clause.List == nil
		for _, e := range clause.List {
			l.scan(e, h)
		}
		out = either(out, l.block(clause.Body, maps.Clone(h)))
	}
	if !byDefault {
		out = either(out, h)
	}
	for _, left := range f.left {
		out = either(out, left)
	}
	l.frames = l.frames[:len(l.frames)-1]
	return out
}

// either is what is held where two ways meet; nil is a way that nobody comes.
func either(a, b held) held {
	if a == nil {
		return b
	}
	a = maps.Clone(a)
	maps.Copy(a, b)
	return a
}

// scan judges the calls of an expression, or of a statement without others in it.
func (l *locker) scan(n ast.Node, h held) {
	if n == nil {
		return
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			inside := held{}
			if l.inline[n] {
				inside = maps.Clone(h)
			}
			frames := l.frames
			l.frames = nil
			l.block(n.Body.List, inside)
			l.frames = frames
			return false
		case *ast.CallExpr:
			for _, e := range append(slices.Clone(n.Args), n.Fun) {
				if literal, ok := ast.Unparen(e).(*ast.FuncLit); ok {
					l.inline[literal] = true
				}
			}
			if len(h) > 0 {
				if what := l.port(n); what != "" {
					l.report(n, what, h)
				}
			}
		}
		return true
	})
}

// port says which port a call goes to, at once or through functions of the package; "" if to none.
func (l *locker) port(call *ast.CallExpr) string {
	if tv := l.info.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return ""
	}
	id := callee(call.Fun)
	if id == nil {
		if _, literal := ast.Unparen(call.Fun).(*ast.FuncLit); literal {
			return ""
		}
		return "call of a function value"
	}
	fn, ok := l.info.Uses[id].(*types.Func)
	if v := l.info.Uses[id]; !ok && l.decls[v] != nil {
		return l.through(v)
	}
	if !ok {
		return "call of the function value " + id.Name
	}
	recv := fn.Signature().Recv()
	switch {
	case recv == nil || !types.IsInterface(recv.Type()):
		return l.through(fn.Origin())
	case fn.Pkg() == nil || fn.Pkg().Path() == "context": // error, Context
		return ""
	}
	return "call of the port " + types.ExprString(call.Fun)
}

// through says which port a function of the package calls while its caller holds a lock.
func (l *locker) through(fn types.Object) string {
	if what, known := l.ports[fn]; known {
		return what
	}
	l.ports[fn] = "" // also for its calls of itself
	body := l.decls[fn]
	if body == nil {
		return ""
	}
	inner := *l
	inner.frames = nil
	inner.report = func(_ *ast.CallExpr, what string, _ held) {
		if l.ports[fn] == "" {
			l.ports[fn] = what + " in " + fn.Name()
		}
	}
	inner.block(body.List, held{callers: true})
	return l.ports[fn]
}

// lockOf returns the mutex of a call that is one of these.
func (l *locker) lockOf(call *ast.CallExpr, names map[string]bool) (mutex string, does bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	fn, ok := l.info.Uses[sel.Sel].(*types.Func)
	if !ok || !names[fullName(fn)] {
		return "", false
	}
	return types.ExprString(sel.X), true
}
