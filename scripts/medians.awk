# Reads the output of `go test -bench -count N`; prints per benchmark and unit the median of the
# repeats and, in brackets, the least and the greatest.

/^pkg: / { pkg = $2 }

/^Benchmark/ && NF >= 4 {
  for (i = 3; i < NF; i += 2) {
    key = pkg " " $1 "\t" $(i + 1)
    if (!(key in n)) order[++keys] = key
    v[key, ++n[key]] = $i + 0
  }
}

# Insertion sort of the repeats of one key: they are few.
function sort_repeats(key,    i, j, x) {
  for (i = 2; i <= n[key]; i++) {
    x = v[key, i]
    for (j = i - 1; j >= 1 && v[key, j] > x; j--) v[key, j + 1] = v[key, j]
    v[key, j + 1] = x
  }
}

END {
  if (keys == 0) { print "no benchmark ran" > "/dev/stderr"; exit 1 }
  title = "benchmark (median of " n[order[1]] ")"
  printf "\n%-70s %14s  %s\n", title, "median", "unit [least..greatest]"
  for (k = 1; k <= keys; k++) {
    key = order[k]
    sort_repeats(key)
    m = n[key]
    median = (v[key, int((m + 1) / 2)] + v[key, int((m + 2) / 2)]) / 2
    split(key, part, "\t")
    printf "%-70s %14.10g  %s [%g..%g]\n", part[1], median, part[2], v[key, 1], v[key, m]
  }
}
