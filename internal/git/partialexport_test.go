package git

// KeepPacks makes a partial with more packs be fetched anew.
func (p *Partials) KeepPacks(n int) { p.packs = n }
