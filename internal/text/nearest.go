package text

import "strings"

// Nearest returns the known name that is spelled most like a name, or nothing if none is.
func Nearest(name string, known []string) string {
	found, least := "", 2+len(Clip(name))/4
	for _, candidate := range known {
		if distance := editDistance(plainName(name), plainName(candidate)); distance < least {
			found, least = candidate, distance
		}
	}
	return found
}

// plainName drops what other languages write differently: agent_id, AgentID.
func plainName(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(Clip(name)))
}

// editDistance returns the number of letters to insert, drop or replace between two names.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
