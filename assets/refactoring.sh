#!/bin/sh
# A refactoring of a public repository, step by step: `bridge`, which most of rayon's iterators are driven by, gets
# another name. Its tests are run before and after.
#
#     assets/refactoring.sh FOLDER      # the sources of rayon 1.12.0: a checkout of its tag, or as published
set -eu
cd "$1"
walden=${WALDEN:-walden}

say() { printf '\n$ %s\n' "$*"; }
tests() {
    say cargo test --offline
    cargo test --offline --quiet 2>&1 | awk '
        /^test result:/ { sum += $4; failed += $6; programs += 1 }
        /^error/ { print }
        END { print programs " test programs: " sum " passed, " failed " failed" }'
}

[ -e .git ] || { git init -q && git add -A && git -c user.name=demo -c user.email=demo@localhost commit -qm "as published"; }
say grep -rlw bridge --include=*.rs .
grep -rlw bridge --include='*.rs' . | wc -l | sed 's/$/ files/'
tests
say walden refactor rename bridge drive_indexed
"$walden" refactor rename bridge drive_indexed 2>&1 >/dev/null
say sed -n '155,180p' src/range.rs
sed -n '155,180p' src/range.rs
say walden refactor rename bridge drive_indexed --unsure --apply
"$walden" refactor rename bridge drive_indexed --unsure --apply 2>&1 >/dev/null
say git diff --shortstat
git diff --shortstat
tests
say grep -rnw bridge --include=*.rs .
grep -rnw bridge --include='*.rs' . || true
