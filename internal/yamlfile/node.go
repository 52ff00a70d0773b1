package yamlfile

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"sluice/internal/options"
)

// notSingle reports that there is no single value where one belongs.
func (r *reader) notSingle(node ast.Node, path, want string) {
	hint := ""
	if mapping, ok := node.(*ast.MappingNode); ok && len(mapping.Values) == 1 && !mapping.IsFlowStyle {
		pair := mapping.Values[0]
		if value, ok := scalarText(pair.Value); ok {
			hint = colonHint + ": " + strconv.Quote(pair.Key.GetToken().Value+": "+value)
		}
	}
	r.problem(node, path, "%s belongs here, not %s%s", want, describe(node), hint)
}

// colonHint is said where a colon that YAML has taken may belong to a value.
const colonHint = "; a colon makes a key of what is before it: if it belongs to the value, quote it"

// pairs hands out the values of a mapping, each with the index of its key among the known ones.
func (r *reader) pairs(
	node ast.Node, path string, known []string, each func(key int, value ast.Node),
) {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		some := known
		if len(known) > options.ListedMax {
			some = append(slices.Clone(known[:3]), "...")
		}
		r.problem(node, path, "keys belong here (%s), not %s", strings.Join(some, ", "), describe(node))
		return
	}
	seen := map[int]ast.Node{}
	for i := 0; i < len(mapping.Values); i++ {
		at := mapping.Values[i].Key
		name := at.GetToken().Value
		key := index(known, name)
		switch {
		case key < 0:
			r.problem(at, path, "unknown key %q%s", name, options.Hint(name, known))
			r.unread(near(path, name, known)...)
		case seen[key] != nil:
			r.problem(at, path, "key %q stands here a second time; the first is at %v", name,
				r.place(seen[key]))
			r.unread(join(path, known[key]))
		default:
			seen[key] = at
			each(key, mapping.Values[i].Value)
			if mapping.IsFlowStyle {
				i += r.pieces(mapping.Values[i:], path, known[key], known)
			}
		}
	}
}

// pieces returns how many of the pairs after the first are but pieces of its value: between { and }
// a comma ends a value, and what follows reads as a key without a value. It reports them.
func (r *reader) pieces(pairs []*ast.MappingValueNode, path, key string, known []string) int {
	whole, ok := scalarText(pairs[0].Value)
	n := 1
	for ; ok && n < len(pairs) && isNull(pairs[n].Value); n++ {
		name := pairs[n].Key.GetToken().Value
		if index(known, name) >= 0 || options.DidYouMean(name, known) != "" {
			break
		}
		whole += ", " + name
	}
	if n > 1 {
		r.problem(pairs[1].Key, path, "unknown key %q; a comma ends a value between { and }: "+
			"if it belongs to the value, quote it: %q", pairs[1].Key.GetToken().Value, whole)
		r.unread(join(path, key))
	}
	return n - 1
}

// near returns the paths of the keys that an unknown one was probably meant to be.
func near(path, name string, known []string) []string {
	keys := options.Near(name, known)
	for i := range keys {
		keys[i] = join(path, keys[i])
	}
	return keys
}

// index returns where a key stands among the known ones, or -1; a dash is as good as an underscore.
func index(known []string, key string) int {
	same := strings.NewReplacer("_", "-")
	return slices.IndexFunc(known, func(k string) bool { return same.Replace(k) == same.Replace(key) })
}

func isNull(node ast.Node) bool {
	_, ok := node.(*ast.NullNode)
	return ok
}

// isPlain tells whether a node is a text without quotes.
func isPlain(node ast.Node) bool {
	text, ok := node.(*ast.StringNode)
	return ok && text.Token.Type == token.StringType
}

// scalarText returns a single value as it is written.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// quoteMax is how many characters of a text are shown: a file of something else may be a single one.
const quoteMax = 60

// quote is the beginning of a text, in quotes.
func quote(text string) string {
	if begin := []rune(text); len(begin) > quoteMax {
		return strconv.Quote(string(begin[:quoteMax])) + "..."
	}
	return strconv.Quote(text)
}

// describe says what stands where something else belongs.
func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode:
		return "keys"
	case *ast.NullNode:
		return "nothing"
	}
	if text, ok := scalarText(node); ok {
		return quote(text)
	}
	return "a YAML " + strings.ToLower(node.Type().String())
}
