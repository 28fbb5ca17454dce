#!/bin/sh
# build.sh - makes packages of Debian of an archive of the release, in a new
# directory, and has lintian look at them:
#
#     build.sh ARCHIVE DIRECTORY
#
# What depends on the release is added here to what stands beside this script.
#
# SPDX-License-Identifier: Apache-2.0

set -eu

archive=$1
deb=$2
source=$(basename "$archive" .tar.gz)
version=${source##*-}

for needed in dpkg-buildpackage:dpkg-dev dh:debhelper lintian:lintian; do
    command -v "${needed%:*}" >/dev/null || {
        echo "make deb: no ${needed%:*}; it is in the package ${needed#*:}" >&2
        exit 1
    }
done
mkdir "$deb"
cp "$archive" "$deb/bio-onion_$version.orig.tar.gz"
cd "$deb"
tar -xzf "bio-onion_$version.orig.tar.gz"
cd "$source"
# All that is in the archive has the time of the release.
SOURCE_DATE_EPOCH=$(date -r NEWS +%s)
export SOURCE_DATE_EPOCH
cp -R bio_onion/debian debian
rm debian/build.sh debian/changelog.in
sed -e "s/UPSTREAM/$version/" \
    -e "s/RELEASED/$(LC_ALL=C date -uR -d "@$SOURCE_DATE_EPOCH")/" \
    bio_onion/debian/changelog.in >debian/changelog
{
    echo 'libbio_onion.so.0 libbio-onion0 #MINVER#'
    echo '* Build-Depends-Package: libbio-onion-dev'
    sed "s/.*/ &@Base $version/" bio_onion/bio_onion.sym
} >debian/libbio-onion0.symbols
# The tests are those of the archive, see make distcheck.
DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -us -uc
cd ..
lintian --allow-root --fail-on error,warning ./*.changes
