# SPDX-License-Identifier: MIT
# A script for perl-exec of another instance.
$main::second = "$0 was second";
