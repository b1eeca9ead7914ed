package bound

// Fit reduces items until they have at most limit bytes together in JSON. It applies the first
// reduction to one item after the other, then the second, and so on. It reports whether they fit.
func Fit[T any](items []T, limit int, reductions ...func(*T)) bool {
	sizes, total := make([]int, len(items)), 0
	for i := range items {
		sizes[i] = Size(items[i])
		total += sizes[i]
	}
	for _, reduce := range reductions {
		for i := range items {
			if total <= limit {
				return true
			}
			reduce(&items[i])
			size := Size(items[i])
			total += size - sizes[i]
			sizes[i] = size
		}
	}
	return total <= limit
}
