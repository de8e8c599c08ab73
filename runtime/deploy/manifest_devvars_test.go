package deploy_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func TestParseDevVars(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"empty", "", map[string]string{}},
		{"plain", "A=b\nC=d", map[string]string{"A": "b", "C": "d"}},
		{"spaces", "  A =  b c  \n\t\nB=\t", map[string]string{"A": "b c", "B": ""}},
		{"comments", "# A=b\n  # c\nA=b # c\nB=c#d\nC=# d", map[string]string{"A": "b", "B": "c", "C": ""}},
		{"export", "export A=b\nexport\tB=c\nexport = d", map[string]string{"A": "b", "B": "c", "export": "d"}},
		{"equals signs", "A=b=c==", map[string]string{"A": "b=c=="}},
		{"quotes", "A='b # c'\nB=\" d \" # e\nC=`f'\"`\nD=''", map[string]string{"A": "b # c", "B": " d ", "C": "f'\"", "D": ""}},
		{"quotes inside", "A=b'c'd", map[string]string{"A": "b'c'd"}},
		{"escapes", `A="b\nc\r"` + "\n" + `B='b\nc'` + "\n" + `C="d\"e\t\\"`, map[string]string{"A": "b\nc\r", "B": `b\nc`, "C": `d\"e\t\\`}},
		{"backslash at the end", "A='C:\\'\nB='D:\\' # c\nC=\"\\\"", map[string]string{"A": `C:\`, "B": `D:\`, "C": `\`}},
		{"nothing is expanded", "A=$HOME\nB=\"${A}\"", map[string]string{"A": "$HOME", "B": "${A}"}},
		{"lines in quotes", "A=\"b\nC=d\n\" # e\nF='\n'", map[string]string{"A": "b\nC=d\n", "F": "\n"}},
		{"Windows and a byte order mark", "\ufeffA=b\r\nC=\"d\r\ne\"\r\n", map[string]string{"A": "b", "C": "d\ne"}},
		{"longest", "A=" + strings.Repeat("a", 5120), map[string]string{"A": strings.Repeat("a", 5120)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := deploy.ParseDevVars(".dev.vars", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseDevVarsErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"no equals sign", "A=b\n  what\n", []string{`2:3: there is no "=" here; write KEY=value`}},
		{"keys", "1A=b\n=c\nA-B=c\nexport=d\nexport =e\nexport C D=f\né=g", []string{
			`1:1: "1A" is not an identifier: letters, digits and underscores, no digit first`,
			`2:1: "" is not an identifier: letters, digits and underscores, no digit first`,
			`3:1: "A-B" is not an identifier: letters, digits and underscores, no digit first`,
			`5:1: export is already on line 4`,
			`6:1: "C D" is not an identifier: letters, digits and underscores, no digit first`,
			`7:1: "é" is not an identifier: letters, digits and underscores, no digit first`,
		}},
		{"quote not closed", "A=b\nB=\"c\\\"x\nD=e", []string{`2:3: the quote " is not closed`}},
		{"text after a quote", "A='b'c\nB=\"d\ne\" f # g\nC=d", []string{
			`1:6: only a comment may follow the closing quote`,
			`3:3: only a comment may follow the closing quote`,
		}},
		{"given twice", "A=b\n\nA=c", []string{`3:1: A is already on line 1`}},
		{"too long", "A=" + strings.Repeat("a", 5121), []string{`1:1: A has 5121 bytes, and at most 5120 are allowed`}},
		{"too many", manyVars("A%d=b\n", 129), []string{`129:1: A128 is variable 129; at most 128 are allowed`}},
		{"zero byte", "A=b\x00", []string{`1:1: A has a zero byte, which would end it early in an environment`}},
		{"not UTF-8", "A=b\nC=\xff", []string{`2:3: the byte 0xff is not UTF-8`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := deploy.ParseDevVars(".dev.vars", []byte(tt.text))
			want := ".dev.vars:" + strings.Join(tt.want, "\n.dev.vars:")
			if got != nil || err == nil || err.Error() != want {
				t.Errorf("got %q,\n%v\nwant\n%s", got, err, want)
			}
		})
	}
}

// FuzzParseDevVars checks that any text gives either variables that can be in
// an environment, or errors that have a position inside the text, in order.
func FuzzParseDevVars(f *testing.F) {
	for _, s := range []string{"", "A=b", "export A='b'\n#c", "A=\"b\nc\" # d", "A", "A=`", "A='\\''", "=\r\nA=\r", "A=b\nA=c", "\ufeffA=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := deploy.ParseDevVars(".dev.vars", []byte(text))
		if err != nil {
			checkPositions(t, text, err)
			return
		}
		for key, value := range vars {
			if key == "" || strings.ContainsAny(key, "= \x00\n") || strings.ContainsRune(value, 0) || len(value) > 5120 {
				t.Errorf("got %q=%q", key, value)
			}
			if !strings.Contains(text, key) {
				t.Errorf("got %q, which is not in the text", key)
			}
		}
	})
}
