package parquet

import (
	"math"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// node is an element of the schema: a column, or a group of nodes.
type node struct {
	name                   string
	isOptional, isRepeated bool
	definition, repetition int // the greatest levels of its values
	isGroup                bool
	nodes                  []*node   // of a group
	index                  int       // of a column among all columns,
	values                 valueType // and what it has
}

const (
	// deepestNode is how deep a schema may be: a level is one byte.
	deepestNode = math.MaxUint8
	// mostColumns is more than anyone has.
	mostColumns = math.MaxUint16
)

// schema is the list of a schema's elements while it is made a tree of nodes.
type schema struct {
	elements []schemaElement // those that are left
	columns  int             // how many were among the others
}

// newSchema returns the root of a schema, and how many columns there are.
func newSchema(elements []schemaElement) (root *node, columns int, err error) {
	s := schema{elements: elements}
	root = new(node)
	if err = s.next(root, nil, 0); err != nil {
		return nil, 0, err
	}
	return root, s.columns, nil
}

// next makes n of the next element and of those below it.
func (s *schema) next(n, parent *node, depth int) error {
	if len(s.elements) == 0 || depth > deepestNode {
		return errDamaged
	}
	e := &s.elements[0]
	s.elements = s.elements[1:]
	n.name = strings.Clone(e.Name) // the footer is not kept
	if parent != nil {             // else it is the root, which is there once whatever it says
		n.isOptional = e.RepetitionType.V == format.Optional
		n.isRepeated = e.RepetitionType.V == format.Repeated
		n.definition, n.repetition = parent.definition, parent.repetition
	}
	if n.isOptional || n.isRepeated {
		n.definition++
	}
	if n.isRepeated {
		n.repetition++
	}
	if e.Type.Valid {
		n.index = s.columns
		if s.columns++; s.columns > mostColumns {
			return errDamaged
		}
		var err error
		n.values, err = newValueType(e)
		return err
	}
	if e.NumChildren < 0 || int(e.NumChildren) > len(s.elements) {
		return errDamaged
	}
	n.isGroup = true
	for range e.NumChildren {
		child := new(node)
		if err := s.next(child, n, depth+1); err != nil {
			return err
		}
		n.nodes = append(n.nodes, child)
	}
	return nil
}
