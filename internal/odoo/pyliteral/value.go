package pyliteral

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Value is what a literal stands for:
//
//	None              nil
//	True, False       bool
//	1                 *big.Int
//	1.5               float64
//	2j, 1+2j          complex128
//	'text'            string; a lone surrogate (\ud800) is three bytes that are no valid UTF-8
//	b'bytes'          Bytes
//	...               Ellipsis
//	[1], (1,)         List, Tuple
//	{1}, set()        *Set
//	{1: 2}            *Dict
type Value any

type (
	// Bytes are the bytes of a b'…'.
	Bytes string
	// Ellipsis is the value of three dots.
	Ellipsis struct{}
	// List is a Python list.
	List []Value
	// Tuple is a Python tuple.
	Tuple []Value
)

// Set is a Python set. Of equal items (1, 1.0 and True) the first is there.
type Set struct {
	Items []Value // in the order of the file
	seen  map[string]bool
}

// Dict is a Python dict.
type Dict struct {
	Entries []Entry // in the order in which the keys stand in the file first
	index   map[string]int
}

// Entry is a key of a Dict with its last value.
type Entry struct {
	Key, Value Value
	Line       int // where the key of that value stands, 1-based
}

// Get returns the entry of a text key.
func (d *Dict) Get(key string) (Entry, bool) {
	i, ok := d.index[textKey+key]
	if !ok {
		return Entry{}, false
	}
	return d.Entries[i], true
}

// set does what d[key] = value does. It reports false when the key cannot be
// one.
func (d *Dict) set(key, value Value, line int) bool {
	k, ok := hashKey(key)
	if !ok {
		return false
	}
	if d.index == nil {
		d.index = map[string]int{}
	}
	i, again := d.index[k]
	if !again {
		i = len(d.Entries)
		d.index[k] = i
		d.Entries = append(d.Entries, Entry{Key: key})
	}
	d.Entries[i].Value, d.Entries[i].Line = value, line
	return true
}

// add reports false when the item cannot be one of a set.
func (s *Set) add(item Value) bool {
	k, ok := hashKey(item)
	if !ok {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	if !s.seen[k] {
		s.seen[k] = true
		s.Items = append(s.Items, item)
	}
	return true
}

const textKey = "s"

// hashKey returns a text that is the same for two values exactly when Python
// holds them for equal. It reports false for what Python does not hash.
func hashKey(v Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "None", true
	case Ellipsis:
		return "...", true
	case string:
		return textKey + v, true
	case Bytes:
		return "b" + string(v), true
	case bool:
		if v {
			return intKey(big.NewInt(1)), true
		}
		return intKey(new(big.Int)), true
	case *big.Int:
		return intKey(v), true
	case float64:
		return floatKey(v), true
	case complex128:
		if imag(v) == 0 {
			return floatKey(real(v)), true
		}
		return "c" + floatKey(real(v)) + " " + floatKey(imag(v)), true
	case Tuple:
		var b strings.Builder
		b.WriteString("(")
		for _, item := range v {
			k, ok := hashKey(item)
			if !ok {
				return "", false
			}
			b.WriteString(strconv.Itoa(len(k)) + ":" + k)
		}
		return b.String(), true
	}
	return "", false
}

func intKey(i *big.Int) string { return "n" + i.Text(16) }

// floatKey is the key of the integer for a float that is equal to one. A
// literal is never NaN.
func floatKey(f float64) string {
	if f == math.Trunc(f) && !math.IsInf(f, 0) {
		i, _ := big.NewFloat(f).Int(nil)
		return intKey(i)
	}
	return "f" + strconv.FormatFloat(f, 'x', -1, 64)
}

// Truth is what Python's bool(v) is.
func Truth(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case complex128:
		return v != 0
	case string:
		return v != ""
	case Bytes:
		return v != ""
	case List:
		return len(v) > 0
	case Tuple:
		return len(v) > 0
	case *Set:
		return len(v.Items) > 0
	case *Dict:
		return len(v.Entries) > 0
	}
	return true // Ellipsis
}
