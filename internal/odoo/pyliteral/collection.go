package pyliteral

// open takes a bracket and moves to the token after it.
func (p *parser) open() error {
	if p.depth == maxDepth {
		return p.errorf(p.pos, "brackets are nested deeper than %d levels", maxDepth)
	}
	p.depth++
	p.pos++
	return p.space()
}

// close takes the closing bracket and moves to the token after it.
func (p *parser) close() error {
	p.depth--
	p.pos++
	return p.space()
}

// parenthesis parses (), (a,), (a, b), or (a), which is a itself.
func (p *parser) parenthesis() (node, error) {
	n := node{pos: p.pos}
	if err := p.open(); err != nil {
		return node{}, err
	}
	if p.peek() == ')' {
		n.value = Tuple{}
		return n, p.close()
	}
	first, err := p.expression()
	if err != nil {
		return node{}, err
	}
	switch p.peek() {
	case ')':
		return first, p.close()
	case ',':
		v, err := p.use(first)
		if err != nil {
			return node{}, err
		}
		items, err := p.items([]Value{v}, n.pos, ')')
		n.value = Tuple(items)
		return n, err
	}
	return node{}, p.unclosed(n.pos)
}

func (p *parser) list() (Value, error) {
	pos := p.pos
	if err := p.open(); err != nil {
		return nil, err
	}
	if p.peek() == ']' {
		return List{}, p.close()
	}
	first, err := p.value()
	if err != nil {
		return nil, err
	}
	items, err := p.items([]Value{first}, pos, ']')
	return List(items), err
}

// items parses what follows the first item of the collection that begins at
// start, and its closing bracket.
func (p *parser) items(items []Value, start int, end byte) ([]Value, error) {
	for {
		more, err := p.comma(start, end)
		if err != nil || !more {
			return items, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

// comma takes a comma or the closing bracket, or both. It reports whether an
// item follows.
func (p *parser) comma(start int, end byte) (more bool, err error) {
	if p.peek() == ',' {
		p.pos++
		if err := p.space(); err != nil {
			return false, err
		}
		if p.peek() != end {
			return true, nil
		}
	}
	if p.peek() != end {
		return false, p.unclosed(start)
	}
	return false, p.close()
}

func (p *parser) unclosed(start int) error {
	return p.unexpected("a comma or the end of the " + p.src[start:start+1] + " of line " + itoa(p.line(start)))
}

// braces parses a dict or a set.
func (p *parser) braces() (Value, error) {
	start := p.pos
	if err := p.open(); err != nil {
		return nil, err
	}
	if p.peek() == '}' {
		return &Dict{}, p.close()
	}
	pos := p.pos
	first, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.peek() == ':' {
		return p.dict(first, pos, start)
	}
	return p.set(first, pos, start)
}

// dict parses what follows the first key, which begins at pos.
func (p *parser) dict(key Value, pos, start int) (Value, error) {
	d := &Dict{}
	for {
		if p.peek() != ':' {
			return nil, p.unexpected("the : after a key")
		}
		p.pos++
		if err := p.space(); err != nil {
			return nil, err
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		if !d.set(key, value, p.line(pos)) {
			return nil, p.errorf(pos, "a list, a dict or a set cannot be a key, nor a tuple that holds one")
		}
		more, err := p.comma(start, '}')
		if err != nil || !more {
			return d, err
		}
		pos = p.pos
		if key, err = p.value(); err != nil {
			return nil, err
		}
	}
}

// set parses what follows the first item, which begins at pos.
func (p *parser) set(item Value, pos, start int) (Value, error) {
	s := &Set{}
	for {
		if !s.add(item) {
			return nil, p.errorf(pos, "a list, a dict or a set cannot be in a set, nor a tuple that holds one")
		}
		more, err := p.comma(start, '}')
		if err != nil || !more {
			return s, err
		}
		pos = p.pos
		if item, err = p.value(); err != nil {
			return nil, err
		}
	}
}
