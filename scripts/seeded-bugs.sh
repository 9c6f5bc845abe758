#!/usr/bin/env bash
# Proof that the tests of ingestion can fail: each file in scripts/seeded-bugs puts one mistake into a copy of the sources, and
# the simulator or a unit test of the ingestor has to see it. The mistakes of a store are switched on in the simulator itself
# (`StoreBug`) and are ordinary tests; they are listed here too.
#
#   scripts/seeded-bugs.sh              every bug
#   scripts/seeded-bugs.sh NAME…        only these, such as live-row-kept
#
# Prints what caught each bug and ends with 1 when one survives, does not apply or does not build. The checkout stays as it is: the copy
# lies under target/seeded-bugs, where the logs stay too.
set -euo pipefail

root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
bugs=$root/scripts/seeded-bugs
target=${CARGO_TARGET_DIR:-$root/target}
copy=$target/seeded-bugs/workspace
logs=$target/seeded-bugs/logs
export CARGO_TARGET_DIR=$target RUST_BACKTRACE=0

# The copy stands one folder deeper in a workspace of its own. So cargo gives our crates other names among the build's artifacts:
# what is built from a broken copy is never taken for ours, and the libraries are not built again.
make_copy() {
    rm -rf "$copy" "$logs"
    mkdir -p "$copy/source" "$logs"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read) \
        | tar --extract --directory "$copy/source"
    sed -e 's#path = "crates/#path = "source/crates/#' -e 's#path = "services/#path = "source/services/#' \
        -e 's#"crates/\*"#"source/crates/*"#' -e 's#"services/\*"#"source/services/*"#' -e '/^default-members/d' \
        "$root/Cargo.toml" >"$copy/Cargo.toml"
    rm "$copy/source/Cargo.toml" "$copy/source/services/ingestor/src/main.rs"
    mv "$copy/source/Cargo.lock" "$copy/Cargo.lock"
    # What an earlier run has built from broken sources must not pass for built from these.
    find "$copy/source/services/ingestor/src" "$copy/source/crates/domain/src" -name '*.rs' -exec touch {} +
    mkdir -p "$copy/clean/services/ingestor" "$copy/clean/crates/domain"
    cp -r "$copy/source/services/ingestor/src" "$copy/clean/services/ingestor"
    cp -r "$copy/source/crates/domain/src" "$copy/clean/crates/domain"
}

# Waits for other builds as long as they take, and for the tests five minutes. 1: a test fails, 2: it does not build.
run_tests() { # LOG [FILTER]
    local log=$1 filter=${2:---skip=_found} status=0 binary
    (cd "$copy" && cargo test --package ingestor --lib --test it --no-run) >"$log" 2>&1 || return 2
    for binary in $(sed -nE 's/^ *Executable .*\((.*)\)$/\1/p' "$log"); do
        (cd "$copy/source/services/ingestor" && timeout 300 "$binary" "$filter" --nocapture) >>"$log" 2>&1 || status=1
    done
    return $status
}

# Puts back what a bug has changed, as changes of now: cargo goes by time.
restore() {
    local path
    for path in services/ingestor/src crates/domain/src; do
        (cd "$copy/clean/$path" && find . -name '*.rs') | while read -r file; do
            cmp --silent "$copy/clean/$path/$file" "$copy/source/$path/$file" || cp "$copy/clean/$path/$file" "$copy/source/$path/$file"
        done
    done
}

# The failing unit tests, and what the simulator says.
caught_by() { # LOG
    sed -nE 's/^(seed [0-9]+: .*)$/\1/p' "$1" | head -1 | cut -c1-110
    sed -nE 's/^test (games::[a-z_:]+|worker::[a-z_:]+) \.\.\. FAILED$/\1/p' "$1"
    sed -nE 's/^test (simulation::[a-z_]+) \.\.\. FAILED$/\1/p' "$1" | grep -v the_history || true
}

row() { printf '%-34s %s\n' "$1" "$2"; }

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for bug in "$bugs"/*.bug; do names+=("$(basename "$bug" .bug)"); done
fi

make_copy
echo "without a bug: building and testing"
if ! run_tests "$logs/none.log"; then
    echo "the tests fail without any bug: see $logs/none.log" >&2
    exit 1
fi

survivors=0
miss() { row "$1" "$2"; survivors=$((survivors + 1)); }

row BUG "CAUGHT BY"
for name in "${names[@]}"; do
    log=$logs/$name.log
    if ! "$bugs/apply.pl" "$bugs/$name.bug" "$copy/source/services/ingestor/src" "$copy/source/crates/domain/src" 2>"$log"; then
        miss "$name" "DOES NOT APPLY: $(head -1 "$log")"
    else
        status=0
        run_tests "$log" || status=$?
        mapfile -t by < <(caught_by "$log")
        case $status in
            0) miss "$name" "SURVIVES" ;;
            2) miss "$name" "DOES NOT BUILD: see $log" ;;
            *) if [ ${#by[@]} -eq 0 ]; then
                miss "$name" "FAILS FOR ANOTHER REASON: see $log"
            else
                row "$name" "${by[0]}"
                for more in "${by[@]:1}"; do row "" "$more"; done
            fi ;;
        esac
    fi
    restore
done

if [ $# -eq 0 ]; then
    log=$logs/store.log
    run_tests "$log" _found || miss "of a store" "see $log"
    sed -nE 's/^([A-Z][A-Za-z]+): (seed [0-9]+: .*)$/\1\t\2/p' "$log" | sort | while IFS=$'\t' read -r bug by; do
        row "$bug" "${by:0:110}"
    done
fi

if [ "$survivors" -gt 0 ]; then
    echo "$survivors not caught" >&2
    exit 1
fi
echo "every bug is caught"
