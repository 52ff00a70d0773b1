# Checks how Markdown files wrap: prints each line over 100 columns, and each line under 80 that had
# room for the next line's first word. Exempt are code between ``` fences, rows of tables, and a
# line of a single word, such as a link. A code span counts as one word.

# width counts characters, not bytes, in any locale: it leaves out UTF-8's continuation bytes.
function width(s) { gsub(/[\200-\277]/, "", s); return length(s) }

# words returns a line without its list marker and with no spaces inside code spans.
function words(s,    part, n, i, out) {
  n = split(s, part, "`")
  for (i = 1; i <= n; i++) {
    if (i % 2 == 0) gsub(/ /, "_", part[i])
    out = out (i > 1 ? "`" : "") part[i]
  }
  sub(/^ *([-*+]|[0-9]+[.)]) +/, "", out)
  return out
}

function fault(line, why) { printf "%s:%d: %s\n", FILENAME, line, why }

FNR == 1 { fenced = 0; room = 0 }
/^ *```/ { fenced = !fenced; room = 0; next }
fenced || /^\|/ || /^#/ || /^ *$/ { room = 0; next }
{
  n = split(words($0), word, " ")
  if (width($0) > 100 && n > 1) fault(FNR, "over 100 columns")
  starts = /^ *([-*+]|[0-9]+[.)]) /
  if (!starts && room > width(word[1])) fault(FNR - 1, "too short: the next word fits")
  room = width($0) < 80 ? 100 - width($0) : 0
}
