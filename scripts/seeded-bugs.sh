#!/usr/bin/env bash
# Proof that the tests of ingestion can fail: each patch in scripts/seeded-bugs puts one mistake into a copy of the sources, and
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
patches=$root/scripts/seeded-bugs
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
    [ ! -e "$root/clippy.toml" ] || rm -f "$copy/source/clippy.toml"
}

run_tests() { # LOG
    (cd "$copy" && timeout 900 cargo test --no-fail-fast --package ingestor --lib --test it -- --skip is_found --skip are_found) \
        >"$1" 2>&1
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
    for patch in "$patches"/*.patch; do names+=("$(basename "$patch" .patch)"); done
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
    patch=$patches/$name.patch log=$logs/$name.log
    if ! (cd "$copy/source" && patch --strip 1 --forward --silent --no-backup-if-mismatch --reject-file - <"$patch" >"$log" 2>&1); then
        miss "$name" "DOES NOT APPLY: renew $patch"
        make_copy
        continue
    fi
    if run_tests "$log"; then
        miss "$name" "SURVIVES"
    elif grep -q '^error: could not compile' "$log"; then
        miss "$name" "DOES NOT BUILD: see $log"
    else
        mapfile -t by < <(caught_by "$log")
        if [ ${#by[@]} -eq 0 ]; then
            miss "$name" "FAILED FOR ANOTHER REASON: see $log"
        else
            row "$name" "${by[0]}"
            for more in "${by[@]:1}"; do row "" "$more"; done
        fi
    fi
    (cd "$copy/source" && patch --strip 1 --reverse --silent --no-backup-if-mismatch <"$patch" >/dev/null)
done

if [ $# -eq 0 ]; then
    log=$logs/store.log
    if ! (cd "$copy" && cargo test --no-fail-fast --package ingestor --test it -- --nocapture _found) >"$log" 2>&1; then
        miss "of a store" "see $log"
    fi
    sed -nE 's/^([A-Z][A-Za-z]+): (seed [0-9]+: .*)$/\1\t\2/p' "$log" | sort | while IFS=$'\t' read -r bug by; do
        row "$bug" "${by:0:110}"
    done
fi

if [ "$survivors" -gt 0 ]; then
    echo "$survivors not caught" >&2
    exit 1
fi
echo "every bug is caught"
