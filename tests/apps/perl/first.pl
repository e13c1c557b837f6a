# SPDX-License-Identifier: MIT
# A script for perl-exec: it runs before the application is loaded.
$main::first = "$0 was first";
