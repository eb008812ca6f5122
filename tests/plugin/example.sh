#!/bin/sh
# A plugin outside of the tree: builds docs/examples/absence against an installation of this build, and
# runs its own test.
#
#   example.sh SOURCE BUILD CMAKE GENERATOR CXX LAUNCHER
set -eu
source=$1 build=$2 cmake=$3 generator=$4 cxx=$5 launcher=${6-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
"$cmake" -S "$source/docs/examples/absence" -B "$work/build" -G "$generator" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror -Wno-missing-field-initializers" \
    -DCMAKE_PREFIX_PATH="$work/prefix"
"$cmake" --build "$work/build"
(cd "$work/build" && ctest --output-on-failure)

# The first plugin of the guide, as its reader copies it.
mkdir "$work/hello"
for file in CMakeLists.txt hello.cpp; do
    awk -v name="\`$file\`:" '$0 == name { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside' "$source/docs/plugin-guide.md" >"$work/hello/$file"
done
"$cmake" -S "$work/hello" -B "$work/hello/build" -G "$generator" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
"$cmake" --build "$work/hello/build"
"$cmake" --install "$work/hello/build"
[ -f "$work/prefix/lib/epode/plugins/hello.so" ] || ls "$work"/prefix/lib*/*/epode/plugins/hello.so
