package webhook

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// write prints the result of a command.
func write(cmd *cobra.Command, text string) error {
	_, err := io.WriteString(cmd.OutOrStdout(), text)
	return err
}

// visible escapes every character that is not printable, except tabs and line
// feeds, so that a sender's text cannot control the terminal.
func visible(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+size]
		i += size
		if r == '\n' || r == '\t' || strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			out.WriteString(piece)
			continue
		}
		quoted := strconv.Quote(piece)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}

const maxShown = 400 // the bytes of a text that are shown

// shown quotes bytes as Go does, shortened in the middle.
func shown(b []byte) string {
	if len(b) <= maxShown {
		return strconv.Quote(string(b))
	}
	head, tail := maxShown/2, len(b)-maxShown/2
	// Do not cut within a character: its halves would be shown as bytes.
	for back := 0; back < utf8.UTFMax-1 && !utf8.RuneStart(b[head]); back++ {
		head--
	}
	for on := 0; on < utf8.UTFMax-1 && !utf8.RuneStart(b[tail]); on++ {
		tail++
	}
	return fmt.Sprintf("%s ... %s ... %s", strconv.Quote(string(b[:head])), inBytes(tail-head), strconv.Quote(string(b[tail:])))
}

func inBytes(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.Itoa(n) + " bytes"
}

// plain returns a text unchanged if it is harmless, and otherwise quoted.
func plain(s string) string {
	quoted := shown([]byte(s))
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}
