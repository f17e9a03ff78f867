#!/usr/bin/env bash
# Builds the release of HEAD twice, in folders of different names and with caches
# of their own, and fails unless both programs are the same, byte for byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(git rev-parse HEAD) # once: another commit may come while the first build runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one another/place; do
  mkdir -p "$work/$name/src"
  git archive "$commit" | tar -x -C "$work/$name/src"
  GOCACHE=$work/$name/cache make --no-print-directory -C "$work/$name/src" release OUT="$work/$name/out" VERSION=v0.0.0-test
done
for program in smsbridge smslab; do
  cmp "$work/one/out/$program" "$work/another/place/out/$program"
  sha256sum "$work/one/out/$program" | sed "s|$work/one/out/||"
done
# The image runs the program alone: nothing of this machine is there, and it is not root.
mkdir "$work/root"
cp "$work/one/out/smsbridge" "$work/root/"
chroot --userspec=65532:65532 "$work/root" /smsbridge version
