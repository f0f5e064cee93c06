package prog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// tokKind classes tokens.
type tokKind uint8

const (
	tokEOF tokKind = iota
	tokNewline
	tokName
	tokNumber
	tokString
	tokOp
)

type token struct {
	kind tokKind
	text string
	num  int64
	line int
	at   int // offset in the source
}

var operators = []string{"<<", ">>", "==", "!=", "<=", ">=", "&&", "||",
	"+", "-", "*", "/", "%", "&", "|", "^", "<", ">", "!", "~", "(", ")", "{", "}", ",", "="}

// lex splits a program into tokens; newlines inside parentheses do not count.
func lex(src string) ([]token, error) {
	var toks []token
	depth, line := 0, 1
	for at := 0; at < len(src); {
		c := src[at]
		switch {
		case c == '\n':
			if depth == 0 {
				toks = append(toks, token{kind: tokNewline, line: line, at: at})
			}
			line++
			at++
		case c == ' ' || c == '\t' || c == '\r':
			at++
		case c == '#':
			for at < len(src) && src[at] != '\n' {
				at++
			}
		case c == '"':
			end, s, err := lexString(src, at)
			if err != nil {
				return nil, fmt.Errorf("line %d: %v", line, err)
			}
			toks = append(toks, token{kind: tokString, text: s, line: line, at: at})
			at = end
		case isAlnum(c):
			end := at
			for end < len(src) && isAlnum(src[end]) {
				end++
			}
			t := token{kind: tokName, text: src[at:end], line: line, at: at}
			if c >= '0' && c <= '9' {
				n, err := strconv.ParseUint(t.text, 0, 64)
				if err != nil {
					return nil, fmt.Errorf("line %d: number %s", line, t.text)
				}
				t.kind, t.num = tokNumber, int64(n)
			}
			toks = append(toks, t)
			at = end
		default:
			op := ""
			for _, o := range operators {
				if strings.HasPrefix(src[at:], o) {
					op = o
					break
				}
			}
			if op == "" {
				return nil, fmt.Errorf("line %d: character %q", line, c)
			}
			switch op {
			case "(":
				depth++
			case ")":
				depth--
			}
			toks = append(toks, token{kind: tokOp, text: op, line: line, at: at})
			at += len(op)
		}
	}
	return append(toks, token{kind: tokNewline, line: line, at: len(src)}, token{kind: tokEOF, line: line, at: len(src)}), nil
}

// lexString reads the string literal at at and returns where it ends.
func lexString(src string, at int) (end int, s string, err error) {
	end = at + 1
	for end < len(src) && src[end] != '"' && src[end] != '\n' {
		if src[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(src) || src[end] != '"' {
		return 0, "", errors.New("string without an end")
	}
	if s, err = strconv.Unquote(src[at : end+1]); err != nil {
		return 0, "", fmt.Errorf("%s: %v", src[at:end+1], err)
	}
	return end + 1, s, nil
}

func isAlnum(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
