package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table writes rows as a table in Markdown. Each number is the median of its
// row's rounds; the last column is that of the ratios within each round: how
// many times as long as with the reference a request takes.
func Table(w io.Writer, rows []Row) error {
	lines := [][]string{{"request", "answered by", "time or rate", "p50 us", "p99 us", "time / reference"}}
	for _, r := range rows {
		lines = append(lines, []string{r.Group, r.Name, r.rate(), number(r.median(p50)), number(r.median(p99)), r.ratio(referenceOf(rows, r.Group))})
	}
	_, err := io.WriteString(w, markdown(lines))
	return err
}

func perSecond(s Sample) float64 { return s.PerSecond }
func p50(s Sample) float64       { return s.P50 }
func p99(s Sample) float64       { return s.P99 }

func (r Row) median(of func(Sample) float64) float64 {
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = of(s)
	}
	return median(values)
}

func (r Row) rate() string {
	if r.Unit == PerSecond {
		return number(r.median(perSecond)) + " req/s"
	}
	return number(1e6/r.median(perSecond)) + " us"
}

// ratio is empty without a reference.
func (r Row) ratio(reference *Row) string {
	if reference == nil {
		return ""
	}
	values := make([]float64, len(r.Samples))
	for i := range values {
		values[i] = reference.Samples[i].PerSecond / r.Samples[i].PerSecond
	}
	text := fmt.Sprintf("%.2f", median(values))
	if r.Reference {
		text = "* " + text
	}
	return text
}

func referenceOf(rows []Row, group string) *Row {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Group == group && r.Reference })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// median is the mean of the two in the middle if there is no single one, and
// not a number if there is none at all.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// number has three significant digits, with commas between thousands.
func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.3g", v)
	}
	step := math.Pow(10, math.Floor(math.Log10(v))-2)
	digits := fmt.Sprintf("%.0f", math.Round(v/step)*step)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// markdown aligns lines, of which the first is the head: the first two columns
// to the left, numbers to the right.
func markdown(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
		if i >= 2 {
			rule[i] = rule[i][1:] + ":"
		}
	}
	var b strings.Builder
	for _, line := range slices.Insert(slices.Clone(lines), 1, rule) {
		for i, cell := range line {
			pad := widths[i]
			if i < 2 {
				pad = -pad
			}
			fmt.Fprintf(&b, "| %*s ", pad, cell)
		}
		b.WriteString("|\n")
	}
	return b.String()
}
